// After a new connection every tab continues where it stood. The server takes one `resume`: it gets the lowest position of
// each stream, and each tab drops what it has.
import type { Gap, Position } from "../machine/types.js";
import type { Port } from "./wire.js";

/** For tabs that are known and still to come: timers of a tab that is not in view run once in a second. */
const WINDOW = 2_500;

interface Wish { port: Port; id: unknown; since: Record<string, Position> }
export interface Merged { port: Port; id: unknown; names: Set<string> }

export class Resume {
  readonly #wishes: Wish[] = [];
  readonly #ports = new Set<Port>();
  readonly #tabs: Set<string>;
  readonly #timer: ReturnType<typeof setTimeout>;
  #ended = false;

  constructor(
    private readonly streams: Record<string, Position>,
    tabs: Set<string>,
    /** How long the server waits for `resume` (`hold_ms`). */
    hold: number,
    private readonly send: (ports: Merged[], since: Record<string, Position>) => void,
    private readonly gap: (port: Port, gap: Gap) => void,
  ) {
    this.#tabs = new Set(tabs);
    this.#timer = setTimeout(() => this.#finish(), Math.min(WINDOW, hold / 2));
  }

  /** This tab has its welcome, and will send its positions. */
  expect(port: Port): void {
    this.#tabs.delete(port.tab);
    this.#ports.add(port);
  }

  /** Returns whether the positions of this tab are taken. */
  add(port: Port, id: unknown, since: Record<string, Position>): boolean {
    if (!this.#ports.delete(port)) return false;
    this.#wishes.push({ port, id, since });
    this.#check();
    return true;
  }

  /** These are gone. */
  without(gone: (port: Port) => boolean): void {
    for (const port of this.#ports) if (gone(port)) this.#ports.delete(port);
    this.#check();
  }

  cancel(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  #check(): void {
    if (!this.#ports.size && !this.#tabs.size && this.#wishes.length) this.#finish();
  }

  #finish(): void {
    if (this.#ended) return;
    this.cancel();
    const since: Record<string, Position> = {};
    for (const wish of this.#wishes) for (const [name, at] of Object.entries(wish.since)) since[name] = this.#lower(name, since[name], at);
    for (const { port, since: own } of this.#wishes) for (const [name, at] of Object.entries(own)) {
      const position = since[name] as Position;
      // The others are in another history of the stream: so is this tab from now on.
      if (at.epoch !== position.epoch) this.gap(port, { stream: name, to: position.offset, position, reason: "epoch" });
    }
    this.send(this.#wishes.map(({ port, id, since: own }) => ({ port, id, names: new Set(Object.keys(own)) })), since);
  }

  #lower(name: string, known: Position | undefined, at: Position): Position {
    if (!known) return at;
    if (known.epoch === at.epoch) return known.offset <= at.offset ? known : at;
    return at.epoch === this.streams[name]?.epoch ? at : known;
  }
}
