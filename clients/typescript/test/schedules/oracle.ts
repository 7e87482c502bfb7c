// What a client may see: of each stream with history a strictly rising part of its log, and the rest is what the gaps
// name.
import assert from "node:assert/strict";
import type { Gap, Message, Position, State } from "../../src/machine/types.js";
import type { Log } from "./log.js";

export class Oracle {
  /** Publications that are delivered or named by a gap, for each stream that the client follows. */
  readonly #cursors = new Map<string, number>();
  readonly #last = new Map<string, number>();
  readonly subscribed = new Set<string>();
  delivered = 0;
  gaps = 0;

  constructor(readonly logs: Map<string, Log>) {}

  message(message: Message): void {
    this.delivered += 1;
    const { topic, stream } = message;
    const n = message.payload as number;
    if (topic !== undefined) assert.ok(this.subscribed.has(topic), `a message of ${topic} after unsubscribe`);
    const name = stream ?? `topic:${topic}`;
    assert.ok(n > (this.#last.get(name) ?? 0), `${name}: ${n} after ${this.#last.get(name)}`);
    this.#last.set(name, n);
    const cursor = this.#cursors.get(name);
    const log = this.logs.get(name);
    if (!log || cursor === undefined) return;
    assert.equal(log.all[cursor]?.n, n, `${name}: the message behind the position is missing, and no gap names it`);
    this.#cursors.set(name, cursor + 1);
  }

  gap(gap: Gap): void {
    this.gaps += 1;
    const log = this.logs.get(gap.stream ?? "");
    if (!log || !gap.position) return;
    const cursor = this.#cursors.get(gap.stream as string);
    const next = log.index(gap.position);
    if (cursor !== undefined) {
      assert.ok(next >= cursor, `${gap.stream}: a gap goes back`);
      assert.ok(gap.previous, "a gap says where the client stood");
      assert.equal(log.index(gap.previous), cursor, `${gap.stream}: the position before the gap`);
      if (gap.reason === "not_resumed" && gap.previous.epoch === gap.position.epoch) assert.ok(gap.previous.offset < gap.position.offset, `${gap.stream}: nothing is lost, and a gap says so`);
    }
    this.#cursors.set(gap.stream as string, next);
  }

  /** The application has a state that was read at this position: the stream continues behind it. */
  loaded(topic: string, position: Position): void {
    this.live(topic, position);
  }

  /** A subscription is live: nothing after this position may be missing. */
  live(topic: string, position: Position | undefined): void {
    const log = this.logs.get(`topic:${topic}`);
    if (log && position) this.#cursors.set(`topic:${topic}`, log.index(position));
  }

  unsubscribed(topic: string): void {
    this.subscribed.delete(topic);
    this.#cursors.delete(`topic:${topic}`);
  }

  /** The positions that the client would send now are what was delivered: never ahead of it, never behind. */
  positions(state: State): void {
    for (const [stream, log] of this.logs) {
      const at = state.table.get(stream)?.at;
      const topic = stream.startsWith("topic:") ? stream.slice(6) : undefined;
      if (topic !== undefined && !this.subscribed.has(topic)) continue;
      const cursor = this.#cursors.get(stream);
      if (at && cursor !== undefined) assert.equal(log.index(at), cursor, `${stream}: the position is not what was delivered`);
      if (at && cursor === undefined && topic === undefined) this.#cursors.set(stream, log.index(at));
      if (!at) this.#cursors.delete(stream);
    }
  }

  /** Nothing is on its way any more: the client has everything. */
  complete(streams: Iterable<string>): void {
    for (const stream of streams) {
      const log = this.logs.get(stream) as Log;
      assert.equal(this.#cursors.get(stream), log.all.length, `${stream}: incomplete in the end`);
    }
  }
}
