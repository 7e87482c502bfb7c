// The table of streams.
import { s } from "./context.js";
import { IDLE } from "./phases.js";
import type { Position, State, Stream } from "./types.js";

export const TOPIC = "topic:";

/** The stream of this name; a new one if there is none. */
export function streamOf(name: string, at?: Position, { table }: Pick<State, "table"> = s): Stream {
  let one = table.get(name);
  if (!one) {
    const topic = name.startsWith(TOPIC) ? name.slice(TOPIC.length) : undefined;
    one = {
      name, topic, at, given: topic === undefined, handles: new Set(), generation: 0, stage: IDLE,
      loads: false, loadReason: "first", loading: 0, loadCount: 0, asked: 0, leaving: 0, seen: 0, recovered: 0,
    };
    table.set(name, one);
  }
  return one;
}
