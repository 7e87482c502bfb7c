// The history of one stream in memory.
import type { Message, Position } from "../machine/types.js";

export class Log {
  #entries: Message[] = [];
  #top = 0;
  /** The last offset that is no longer kept. */
  #trimmed = 0;

  constructor(readonly stream: string, readonly size: number, public epoch: string) {}

  get position(): Position {
    return { epoch: this.epoch, offset: this.#top };
  }

  append(message: Message): Message {
    this.#top += 1;
    const kept = { ...message, stream: this.stream, offset: this.#top };
    this.#entries.push(kept);
    while (this.#entries.length > this.size) this.#trimmed = (this.#entries.shift() as Message).offset as number;
    return kept;
  }

  /** What comes after a position: a gap if some of it is lost, then the messages. */
  since({ epoch, offset }: Position): { gap?: object; messages: Message[] } {
    const known = epoch === this.epoch;
    if (known && offset >= this.#trimmed) return { messages: this.#entries.filter((one) => (one.offset as number) > offset) };
    const position = { epoch: this.epoch, offset: this.#trimmed };
    const lost = known ? { from: offset + 1, missed: this.#trimmed - offset, reason: "retention" } : { reason: "epoch" };
    return { gap: { stream: this.stream, to: this.#trimmed, position, ...lost }, messages: [...this.#entries] };
  }

  page(limit: number): Message[] {
    return this.#entries.slice(0, limit);
  }

  /** As after a restart without a data directory. */
  lose(epoch: string): void {
    this.epoch = epoch;
    this.#entries = [];
    this.#top = this.#trimmed = 0;
  }
}
