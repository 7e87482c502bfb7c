// The connection: start, stop, attempts, loss, waiting, and signals of the device.
import { advice, backoff, FLOOR } from "./closing.js";
import { interrupt, rejectAll } from "./commands.js";
import { emit, failure, open, sendOwn } from "./out.js";
import { detach } from "./subscriptions.js";
import { arm, disarm } from "./timers.js";
import { askToken, refresh } from "./token.js";
import type { ConnectionState, Step, TokenReason } from "./types.js";

/** From the dial to `welcome`. */
const HANDSHAKE = 10_000;
/** Backoff is kept over connections shorter than this. */
const STABLE = 10_000;
/** For any frame after a ping that asks. */
const PROBE = 5_000;
/** After a wake-up, a connection that was silent for longer is asked. */
const SILENT = 10_000;
/** Between two attempts that waking up causes. */
const WAKE_FLOOR = 1_000;

const CONNECTION_TIMERS = ["token", "dial", "retry", "stable", "idle", "refresh", "pace", "publish"] as const;

/** Emits the state if an application would see a difference. */
export function show(m: Step): void {
  const s = m.state;
  const phase = s.phase === "live" ? "connected" : s.phase === "stopped" || s.phase === "waiting" ? s.phase : "connecting";
  const state: ConnectionState = { phase, since: m.now };
  if (s.phase === "waiting" && s.retryAt !== undefined) state.retryAt = s.retryAt;
  if (phase !== "connected" && phase !== "connecting" && s.reason) state.reason = s.reason;
  if (phase === "connected" && s.welcomes > 1) state.resumed = s.complete;
  const before = s.shown;
  if (before.phase === phase && before.retryAt === state.retryAt && before.reason === state.reason) return;
  s.shown = state;
  emit(m, { kind: "state", state });
}

export function start(m: Step): void {
  const s = m.state;
  if (s.phase !== "stopped") return;
  s.reason = undefined;
  s.tries = s.refusals = 0;
  s.refused = undefined;
  soon(m, FLOOR);
}

/** Ends everything until `start`. */
export function halt(m: Step, code: number | string, message: string): void {
  const s = m.state;
  if (s.phase === "stopped") return;
  drop(m);
  leave(m);
  s.n += 1;
  s.phase = "stopped";
  s.reason = { code, message };
  rejectAll(m, failure("stopped", message));
  disarm(m, "command", "linger", "load");
  show(m);
}

/** Begins the next attempt, as soon as the floor allows. */
export function soon(m: Step, floor: number): void {
  const s = m.state;
  const ms = Math.max(s.attemptedAt + floor, s.notBefore) - m.now;
  if (ms > 0) wait(m, ms, s.reason);
  else attempt(m, s.refusals > 0 ? "refused" : "connect");
}

export function wait(m: Step, ms: number | undefined, reason: { code: number | string; message: string } | undefined): void {
  const s = m.state;
  s.phase = "waiting";
  s.reason = reason;
  s.retryAt = ms === undefined ? undefined : m.now + ms;
  if (ms === undefined) disarm(m, "retry");
  else arm(m, "retry", ms);
  show(m);
}

export function attempt(m: Step, reason: TokenReason): void {
  const s = m.state;
  disarm(m, "retry");
  s.n += 1;
  s.phase = "token";
  s.attemptedAt = m.now;
  s.retryAt = undefined;
  show(m);
  askToken(m, reason);
}

export function dial(m: Step, token: string): void {
  const s = m.state;
  s.phase = "dialing";
  s.token = token;
  s.attemptedAt = m.now;
  s.closing = undefined;
  arm(m, "dial", HANDSHAKE);
  const query: Record<string, string> = { client: s.options.client, ping: "text" };
  if (s.ticket !== undefined) query["resume"] = s.ticket;
  m.effects.push({ type: "dial", n: s.n, protocols: ["realtime.v1", `bearer.${token}`], query });
}

/** Lets go of the socket, if there is one: nothing of it counts any more. */
export function drop(m: Step): void {
  const s = m.state;
  if (s.phase === "dialing" || open(m)) m.effects.push({ type: "drop", n: s.n, code: 1000 });
}

/** Clears what belongs to this attempt alone. */
export function leave(m: Step): void {
  const s = m.state;
  disarm(m, ...CONNECTION_TIMERS);
  s.request = s.resume = s.probe = 0;
  s.refreshAt = s.expiresAt = Infinity;
  s.sent.clear();
  detach(m);
  interrupt(m);
}

/** The connection of this attempt has ended, or there was none. */
export function lost(m: Step, code: number, text: string): void {
  const s = m.state;
  leave(m);
  s.n += 1;
  const closing = s.closing;
  const reason = closing ? { code: closing.code, message: closing.reason } : { code, message: text };
  let next = advice(Number(reason.code));
  if (closing?.reconnect !== undefined && next !== "token") next = closing.reconnect ? "retry" : "stop";
  if (reason.code === 4509) s.ticket = undefined;
  if (next === "stop") {
    s.phase = "waiting";
    halt(m, reason.code, reason.message);
  } else if (next === "token") {
    s.refused = s.token;
    s.waitedWithRefused = false;
    s.refusals += 1;
    if (s.refusals > 1) {
      s.phase = "waiting";
      halt(m, reason.code, `${reason.message}; a second token was refused too: sign in again, then call start()`);
    } else {
      wait(m, FLOOR + m.random * 400, reason);
    }
  } else {
    s.notBefore = m.now + (closing?.after_ms ?? 0);
    wait(m, backoff(m), reason);
    s.tries += 1;
  }
}

/** Ends this connection from here, and begins the next. */
function abandon(m: Step, message: string): void {
  drop(m);
  m.state.closing = undefined;
  lost(m, 1006, message);
}

export function retryExpired(m: Step): void {
  attempt(m, m.state.refusals > 0 ? "refused" : "connect");
}

export function dialExpired(m: Step): void {
  abandon(m, "no welcome within 10 s");
}

/** `welcome` has come: the connection is watched from now on. */
export function watch(m: Step): void {
  arm(m, "stable", STABLE);
  arm(m, "idle", silence(m));
}

/** The longest silence of a living server. */
function silence(m: Step): number {
  return 2 * m.state.welcome.ping_ms + 10_000;
}

/** Dead is what was asked and did not reply, never what a timer says. */
export function idleExpired(m: Step): void {
  const s = m.state;
  if (s.probe) return abandon(m, "the server did not reply to a ping");
  const left = silence(m) - Math.max(0, m.now - s.heardAt);
  if (left > 0) arm(m, "idle", left);
  else probe(m);
}

function probe(m: Step): void {
  if (m.state.probe) return;
  m.state.probe = sendOwn(m, { action: "ping" });
  arm(m, "idle", PROBE);
}

/** Any frame is a sign of life. */
export function heard(m: Step): void {
  m.state.heardAt = m.now;
  if (!m.state.probe) return;
  m.state.probe = 0;
  arm(m, "idle", silence(m));
}

/** The page is visible again, or the machine woke up. Several such signals cause one check. */
export function wake(m: Step): void {
  const s = m.state;
  if (s.phase === "waiting") {
    const soonest = s.attemptedAt + WAKE_FLOOR;
    if (s.retryAt === undefined || s.retryAt > soonest) soon(m, s.retryAt === undefined ? FLOOR : WAKE_FLOOR);
    return;
  }
  if (!open(m)) return;
  if (m.now >= s.expiresAt) {
    drop(m);
    leave(m);
    soon(m, FLOOR);
  } else {
    if (m.now >= s.refreshAt) refresh(m);
    if (m.now - s.heardAt >= SILENT) probe(m);
  }
}

export function online(m: Step): void {
  if (m.state.phase === "waiting") soon(m, FLOOR);
  else wake(m);
}

/** The device says that it has no network. It may be wrong: a live connection is asked. */
export function offline(m: Step): void {
  const s = m.state;
  if (open(m)) return probe(m);
  if (s.phase !== "dialing" && s.phase !== "token") return;
  drop(m);
  leave(m);
  s.n += 1;
  wait(m, s.welcome.max_ms, { code: "offline", message: "the device has no network" });
}

/** The page goes into the back/forward cache: its socket would be closed there. */
export function hide(m: Step): void {
  const s = m.state;
  if (s.phase === "stopped") return;
  drop(m);
  leave(m);
  s.n += 1;
  wait(m, undefined, { code: "hidden", message: "the page is in the back/forward cache" });
}
