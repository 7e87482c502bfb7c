// Timers. The driver runs them; the machine knows when each is due, and judges a late one with care.
import { commandExpired } from "./commands.js";
import { dialExpired, idleExpired } from "./connection.js";
import { effect, fresh, now, s } from "./context.js";
import { paceExpired } from "./recovery.js";
import { tokenExpired } from "./token.js";
import type { Failure } from "./types.js";

/** A timer above 2^31 - 1 ms would expire at once; a day is far below. */
const LONGEST = 24 * 3_600_000;
/** After sleep, overdue timers run before the frames that already wait in the socket: they get this much more. */
const GRACE = 1_000;
/** Before a refused command is sent again, if the server says no time. */
export const PAUSE = 1_000;

/** `run` is what happens when the time is over. One timer of each; or one for each subject: a stream, or a command. */
export function arm(run: (subject: any) => void, after: number, subject: unknown = run, graced = false): void {
  const key = fresh();
  const ms = Math.ceil(after);
  s.timers.set(subject, { run, key, due: now + ms, graced });
  effect("arm", subject, key, Math.min(ms, LONGEST));
}

/** After a refusal: as long as the server says. */
export function pause(error: Failure, run: (subject: any) => void = paceExpired, subject?: string): void {
  arm(run, error.after_ms ?? PAUSE, subject);
}

export function disarm(timer: unknown): void {
  if (s.timers.delete(timer)) effect("disarm", timer);
}

/** The timer expired, late or early as it may be. */
export function expired(timer: unknown, key: number): void {
  const armed = s.timers.get(timer);
  if (armed?.key !== key) return;
  const { run, due, graced } = armed;
  const late = now - due;
  const judges = [tokenExpired, dialExpired, idleExpired, commandExpired].includes(run);
  if (late < 0) return arm(run, -late, timer);
  if (judges && late >= GRACE && !graced) return arm(run, GRACE, timer, true);
  s.timers.delete(timer);
  run(timer);
}
