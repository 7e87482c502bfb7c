// The address of a view: `#/connections?user=alice`, so that a link or a bookmark opens it.
import { store } from "./store";

export interface Place {
  view: string;
  /** What follows the view: the id of a connection, the name of a topic. */
  item: string | undefined;
  query: Record<string, string>;
}

export function parse(hash: string): Place {
  const [path = "", search = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const [view = "", item] = path.split("/", 2);
  return { view: view || "overview", item: item ? decoded(item) : undefined, query: Object.fromEntries(new URLSearchParams(search)) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The address of a view. Empty values of `query` are left out. */
export function href(view: string, item?: string, query: Record<string, string | undefined> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) search.set(name, value);
  const text = search.toString();
  return `#/${view}${item === undefined ? "" : `/${encodeURIComponent(item)}`}${text && `?${text}`}`;
}

const hash = (): string => (typeof location === "undefined" ? "" : location.hash);

export const place = store<Place>(parse(hash()));

export function followAddress(): void {
  addEventListener("hashchange", () => place.set(parse(hash())));
}

export function go(address: string): void {
  location.hash = address;
}
