// The log of one stream: epochs, offsets with holes, retention; and all that was ever published to it, in order.
import type { Position } from "../../src/machine/types.js";

export interface Entry { epoch: string; offset: number; n: number }

export class Log {
  /** Everything that was ever published, over all epochs. */
  readonly all: Entry[] = [];
  epoch = "e1";
  top = 0;
  /** The last offset that is no longer kept. */
  trimmed = 0;
  #kept: Entry[] = [];
  #epochs = 1;

  constructor(readonly size: number) {}

  append(n: number, hole: number): Entry {
    this.top += 1 + hole;
    const entry = { epoch: this.epoch, offset: this.top, n };
    this.all.push(entry);
    this.#kept.push(entry);
    while (this.#kept.length > this.size) this.trimmed = (this.#kept.shift() as Entry).offset;
    return entry;
  }

  /** The server lost its memory. */
  lose(): void {
    this.#epochs += 1;
    this.epoch = `e${this.#epochs}`;
    this.top = this.trimmed = 0;
    this.#kept = [];
  }

  get position(): Position {
    return { epoch: this.epoch, offset: this.top };
  }

  after(offset: number): Entry[] {
    return this.#kept.filter((entry) => entry.offset > offset);
  }

  /** How many publications a position has behind it. */
  index({ epoch, offset }: Position): number {
    const within = this.all.filter((entry) => Number(entry.epoch.slice(1)) < Number(epoch.slice(1)) || (entry.epoch === epoch && entry.offset <= offset));
    return within.length;
  }
}
