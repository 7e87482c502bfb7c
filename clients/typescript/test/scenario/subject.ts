// What a scenario is run on: the machine alone, or the whole client over real sockets.
import type { VirtualClock } from "./clock.js";
import type { Item, Json, Kind, Scenario } from "./format.js";

export abstract class Subject {
  readonly items: Item[] = [];
  readonly reactions: { kind: Kind; pattern: Json; run: () => void }[] = [];
  /** Commands that the server has received and not answered, oldest first. */
  readonly unanswered: { socket: number; command: Json }[] = [];
  onItem: (item: Item) => void = () => {};

  constructor(readonly scenario: Scenario, readonly clock: VirtualClock) {}

  protected record(kind: Kind, value: Json): void {
    const item = { kind, at: this.clock.now(), value };
    this.items.push(item);
    this.onItem(item);
  }

  /** A call of the application. */
  abstract call(name: string, args: Json): void;
  /** The token provider's answer to the oldest request. */
  abstract token(answer: Json): void;
  abstract device(signal: "wake" | "online" | "offline" | "hide"): void;
  /** The server accepts the handshake of a dial (counted from 1). */
  abstract open(socket: number): void;
  abstract send(socket: number, frame: Json): void;
  abstract close(socket: number, code: number, reason: string): void;
  /** The number of dials so far. */
  abstract readonly dials: number;
  /** Everything that is on its way has arrived. */
  abstract quiet(): Promise<void>;
  abstract end(): Promise<void>;
}
