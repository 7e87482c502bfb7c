// Timers. The driver runs them; the machine knows when each is due, and judges a late one with care.
import { effect, fresh, now, s } from "./context.js";
import type { Failure, Timer } from "./types.js";

/** A timer above 2^31 - 1 ms would expire at once; a day is far below. */
const LONGEST = 24 * 3_600_000;
/** After sleep, overdue timers run before the frames that already wait in the socket: they get this much more. */
const GRACE = 1_000;
/** Timers that declare something dead. */
const JUDGES: readonly Timer[] = ["token", "dial", "idle", "command"];
/** Before a refused command is sent again, if the server says no time. */
export const PAUSE = 1_000;

/** One timer of each kind; or one for each subject: a stream, or the id of a command. */
export function arm(kind: Timer, after: number, subject: string | number = "", graced = false): void {
  const id = kind + subject;
  const key = fresh();
  const ms = Math.ceil(after);
  s.timers.set(id, { kind, subject, key, due: now + ms, graced });
  effect("arm", id, key, Math.min(ms, LONGEST));
}

/** After a refusal: as long as the server says. */
export function pause(error: Failure, kind: Timer = "pace", subject?: string): void {
  arm(kind, error.after_ms ?? PAUSE, subject);
}

export function disarm(id: string): void {
  if (s.timers.delete(id)) effect("disarm", id);
}

/** The timer that expired, if it is to be acted on now. */
export function expired(id: string, key: number): { kind: Timer; subject: any } | undefined {
  const armed = s.timers.get(id);
  if (armed?.key !== key) return undefined;
  const { kind, subject, due, graced } = armed;
  const late = now - due;
  if (late < 0) arm(kind, -late, subject);
  else if (JUDGES.includes(kind) && late >= GRACE && !graced) arm(kind, GRACE, subject, true);
  else {
    s.timers.delete(id);
    return armed;
  }
  return undefined;
}
