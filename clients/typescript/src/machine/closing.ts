// What a close code advises, and how long to wait before the next attempt: docs/protocol.md, "Close codes" and
// "Reconnecting".
import { random, s } from "./context.js";

/** Between two attempts, whatever the reason. */
export const FLOOR = 100;

/** An unknown code follows its range. A code that is a proxy's must not lock a client out for ever. */
export function advice(code: number): "stop" | "retry" | "token" {
  if (code >= 4600 && code < 4700) return "token";
  if ((code >= 4000 && code < 4200) || (code >= 4400 && code < 4500) || code >= 4700) return "stop";
  return [1000, 1002, 1003, 1007, 1008, 1009, 1010].includes(code) ? "stop" : "retry";
}

/** Full jitter from the first retry; what `closing` asks for goes first. */
export function backoff(): number {
  const { after_ms = 0, spread_ms: spread = 0 } = s.closingFrame ?? {};
  const { min_ms, max_ms, spread_ms } = s.terms;
  const [from, range] = after_ms + spread > 0
    ? [after_ms, spread]
    : [min_ms, Math.min(max_ms, (min_ms + spread_ms) * 2 ** Math.min(s.tries, 30)) - min_ms];
  return Math.max(FLOOR, from + random * Math.max(0, range));
}
