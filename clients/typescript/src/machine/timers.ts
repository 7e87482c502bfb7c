// Timers, one of each kind. The driver runs them; the machine knows when each is due, and judges a late one with care.
import type { Step, Timer } from "./types.js";

/** A timer above 2^31 - 1 ms would expire at once; a day is far below. */
const LONGEST = 24 * 3_600_000;
/** After sleep, overdue timers run before the frames that already wait in the socket: they get this much more. */
const GRACE = 1_000;
/** Timers that declare something dead. */
const JUDGES: readonly Timer[] = ["token", "dial", "idle", "command"];

export function arm(m: Step, timer: Timer, after: number, graced = false): void {
  const key = m.state.nextKey++;
  const ms = Math.ceil(after);
  m.state.timers.set(timer, { key, due: m.now + ms, clamped: ms > LONGEST, graced });
  m.effects.push({ type: "arm", timer, key, ms: Math.min(ms, LONGEST) });
}

export function disarm(m: Step, ...timers: Timer[]): void {
  for (const timer of timers) {
    if (m.state.timers.delete(timer)) m.effects.push({ type: "disarm", timer });
  }
}

/** Whether the timer that expired is to be acted on now. */
export function expired(m: Step, timer: Timer, key: number): boolean {
  const armed = m.state.timers.get(timer);
  if (armed?.key !== key) return false;
  const late = m.now - armed.due;
  if (armed.clamped && late < 0) arm(m, timer, -late);
  else if (JUDGES.includes(timer) && late >= GRACE && !armed.graced) arm(m, timer, GRACE, true);
  else return m.state.timers.delete(timer);
  return false;
}
