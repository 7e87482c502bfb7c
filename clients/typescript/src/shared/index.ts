// One socket for all tabs of a user: the client of each tab is whole, and its WebSocket is a link to the tab that has the
// real one. Where the browser cannot share, each tab has its own.
import { Realtime, type ConnectionState, type Options, type TokenProvider, type Topics, type Untyped } from "../index.js";
import type { Reason } from "../machine/types.js";
import { Link, type Browser, type Channel, type Shared } from "./link.js";

export type { Shared } from "./link.js";

export interface SharedOptions extends Options {
  /** The user's id, as in the token: tabs share a socket only if it is the same, and a token of another user is refused. */
  user: string;
  /** For tests. */
  browser?: Browser;
}

export interface SharedState extends ConnectionState {
  /** `leader`: this tab has the socket. `follower`: another tab has it. `alone`: this browser cannot share. */
  shared: Shared;
}

/** What tabs of another version of this do not understand. */
const VERSION = 1;

export class SharedRealtime<M extends Topics = Untyped> extends Realtime<M> {
  readonly #link: Link | undefined;
  readonly #changed: Set<() => void>;
  #provider: { current: TokenProvider };
  #shown: SharedState | undefined;

  constructor({ user, browser = browserOf(), ...options }: SharedOptions) {
    const provider = { current: options.token };
    const changed = new Set<() => void>();
    // The link is made before the client that it belongs to.
    let client: SharedRealtime<M> | undefined;
    const link = browser && new Link(browser, `realtime:${VERSION}:${new URL(options.url).href}:${user}`, user, {
      positions: () => client?.session().positions ?? {},
      retry: () => client?.retry(),
      changed: () => { for (const handler of [...changed]) handler(); },
    });
    super(link ? { ...options, token: ({ reason }) => link.token(provider.current, reason), WebSocket: link.WebSocket } : options);
    client = this;
    this.#link = link;
    this.#provider = provider;
    this.#changed = changed;
    if (!link) return;
    super.onState(({ phase, reason }) => {
      if (phase === "stopped") link.leave(endOf(reason));
      if (reason?.code === "hidden") link.leave();
    });
    if (typeof document !== "undefined") document.addEventListener("freeze", () => link.leave());
  }

  override start(token?: TokenProvider): this {
    if (token === undefined || !this.#link) return super.start(token);
    this.#provider.current = token;
    return super.start();
  }

  override get state(): SharedState {
    const shared = this.#link?.role ?? "alone";
    const state = super.state;
    if (this.#shown?.since !== state.since || this.#shown.phase !== state.phase || this.#shown.shared !== shared) this.#shown = { ...state, shared };
    return this.#shown;
  }

  /** Also when another tab gets the socket. */
  override onState(handler: (state: SharedState) => unknown): () => void {
    const changed = (): unknown => handler(this.state);
    const remove = super.onState(changed);
    this.#changed.add(changed);
    return () => {
      remove();
      this.#changed.delete(changed);
    };
  }
}

/** Why the other tabs stop too: the user must sign in, or may not connect. `stop()` is for one tab. */
function endOf(reason: Reason | undefined): Reason | undefined {
  if (!reason || reason.code === "stopped") return undefined;
  const refused = typeof reason.code === "number" && reason.code >= 4600 && reason.code < 4700;
  return refused ? { ...reason, code: "token_refused" } : reason;
}

/** A client that has been started, with one socket for all tabs of this user. */
export function connect<M extends Topics = Untyped>(options: SharedOptions): SharedRealtime<M> {
  return new SharedRealtime<M>(options).start();
}

/** What this browser offers; nothing if it cannot share. */
function browserOf(): Browser | undefined {
  const { navigator, BroadcastChannel, WebSocket, document } = globalThis as any;
  if (!navigator?.locks || !BroadcastChannel || !document) return undefined;
  return { locks: navigator.locks, channel: (name) => new BroadcastChannel(name) as Channel, visible: () => document.visibilityState === "visible", WebSocket };
}
