// The table of streams.
import { s } from "./context.js";
import { IDLE } from "./phases.js";
import type { Position, State, Stream } from "./types.js";

export const TOPIC = "topic:";

/** The stream of this name; a new one if there is none. */
export function streamOf(name: string, at?: Position, { streams }: Pick<State, "streams"> = s): Stream {
  let one = streams.get(name);
  if (!one) {
    const topic = name.startsWith(TOPIC) ? name.slice(TOPIC.length) : undefined;
    one = {
      name, topic, at, given: topic === undefined, handles: new Set(), generation: 0, phase: IDLE,
      loads: false, reason: "first", load: 0, loaded: 0, command: 0, leaving: 0, seen: 0, recovered: 0,
    };
    streams.set(name, one);
  }
  return one;
}
