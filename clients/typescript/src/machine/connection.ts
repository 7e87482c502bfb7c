// The connection: start, stop, attempts, loss, waiting, and signals of the device.
import { advice, backoff, FLOOR } from "./closing.js";
import { interrupt, rejectAll } from "./commands.js";
import { effect, emit, failure, fresh, now, open, random, s, sendOwn } from "./context.js";
import { ASKING, DIALING, LIVE, STOPPED, WAITING } from "./phases.js";
import { detach, load } from "./subscriptions.js";
import { arm, disarm } from "./timers.js";
import { askToken, refresh } from "./token.js";
import type { ConnectionState, Reason } from "./types.js";

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

/** Emits the state if an application would see a difference. */
export function show(phase: ConnectionState["phase"], reason?: Reason, retryAt?: number, resumed?: boolean): void {
  const { shown } = s;
  if (shown.phase === phase && shown.reason === reason && shown.retryAt === retryAt) return;
  s.shown = { phase, since: now, reason, retryAt, resumed };
  emit("state", s.shown);
}

export function start(): void {
  if (s.stage !== STOPPED) return;
  s.shown = { phase: "stopped", since: now };
  s.tries = s.refusals = 0;
  s.refused = undefined;
  for (const name of s.table.keys()) load(name);
  soon();
}

/** Ends everything until `start`. */
export function halt(code: number | string, message: string): void {
  if (s.stage === STOPPED) return;
  leave();
  s.stage = STOPPED;
  rejectAll(failure("stopped", message));
  for (const timer of s.timers.keys()) disarm(timer);
  show("stopped", { code, message });
}

/** Begins the next attempt, as soon as the floor allows. */
export function soon(floor = FLOOR): void {
  const ms = Math.max(s.attemptedAt + floor, s.notBefore) - now;
  if (ms > 0) wait(s.shown.reason, ms);
  else attempt();
}

/** Without a time: until the device gives a signal. */
function wait(reason: Reason | undefined, ms?: number): void {
  s.stage = WAITING;
  disarm(attempt);
  if (ms !== undefined) arm(attempt, ms);
  show("waiting", reason, ms && Math.ceil(now + ms));
}

/** Waits, longer each time. */
export function retry(code: number | string, message: string): void {
  wait({ code, message }, backoff());
  s.tries += 1;
}

export function attempt(): void {
  disarm(attempt);
  s.stage = ASKING;
  s.attemptedAt = now;
  show("connecting");
  askToken(s.refusals ? "refused" : "connect");
}

export function dial(token: string): void {
  s.stage = DIALING;
  s.lastToken = token;
  s.attemptedAt = now;
  s.closingFrame = undefined;
  arm(dialExpired, HANDSHAKE);
  effect("dial", s.n, ["realtime.v1", `bearer.${token}`], { client: s.client, ping: "text", ...(s.ticket && { resume: s.ticket }) });
}

/** Ends this attempt: nothing of it counts any more. */
export function leave(dropped = true): void {
  if (s.stage === LIVE && now - s.shown.since >= STABLE) s.tries = 0;
  if (dropped && s.stage >= DIALING) effect("drop", s.n);
  s.n = fresh();
  s.stage = WAITING;
  s.requested = s.resuming = 0;
  s.sent.clear();
  // The others, those with a subject, are of the application's commands and subscriptions.
  for (const [timer, { run }] of s.timers) if (timer === run) disarm(run);
  detach();
  interrupt();
}

/** The connection of this attempt has ended, or there was none. */
export function lost(code: number, message: string, dropped = false): void {
  leave(dropped);
  const { closingFrame: closing } = s;
  if (closing) ({ code, reason: message } = closing);
  let next = advice(code);
  if (closing?.reconnect !== undefined && next !== "token") next = closing.reconnect ? "retry" : "stop";
  if (code === 4509) s.ticket = undefined;
  if (next === "stop") {
    halt(code, message);
  } else if (next === "retry") {
    s.notBefore = now + (closing?.after_ms ?? 0);
    retry(code, message);
  } else if (s.refusals++) {
    halt(code, `${message}; the next token was refused too: sign in, then call start()`);
  } else {
    s.refused = s.lastToken;
    wait({ code, message }, FLOOR + random * 400);
  }
}

/** Ends this connection from here, and begins the next. */
function abandon(message: string): void {
  s.closingFrame = undefined;
  lost(1006, message, true);
}

export function dialExpired(): void {
  abandon("no welcome in 10 s");
}

/** `welcome` has come: the connection is watched from now on. */
export function watch(): void {
  arm(idleExpired, silence());
}

/** The longest silence of a living server. */
function silence(): number {
  return 2 * s.terms.ping_ms + 10_000;
}

/** Dead is what was asked and did not reply, never what a timer says. */
export function idleExpired(): void {
  if (s.probe) return abandon("no reply to a ping");
  const left = silence() - Math.max(0, now - s.receivedAt);
  if (left > 0) arm(idleExpired, left);
  else probe();
}

function probe(): void {
  if (s.probe) return;
  s.probe = sendOwn("ping", () => {});
  arm(idleExpired, PROBE);
}

/** Any frame is a sign of life. */
export function received(): void {
  s.receivedAt = now;
  if (!s.probe) return;
  s.probe = 0;
  arm(idleExpired, silence());
}

/** The page is visible again, or the machine woke up. Several such signals cause one check. */
export function wake(): void {
  if (s.stage === WAITING) {
    const { retryAt } = s.shown;
    if (retryAt === undefined) soon();
    else if (retryAt > s.attemptedAt + WAKE_FLOOR) soon(WAKE_FLOOR);
  } else if (!open()) {
    return;
  } else if (now >= s.expiresAt) {
    leave();
    soon();
  } else {
    if (now >= (s.timers.get(refresh)?.due ?? Infinity)) refresh();
    if (now - s.receivedAt >= SILENT) probe();
  }
}

export function online(): void {
  if (s.stage === WAITING) soon();
  else wake();
}

/** The device says that it has no network. It may be wrong: a live connection is asked. */
export function offline(): void {
  if (open()) return probe();
  if (s.stage < ASKING) return;
  leave();
  wait({ code: "offline", message: "no network" }, s.terms.max_ms);
}

/** The page goes into the back/forward cache: its socket would be closed there. */
export function hide(): void {
  if (s.stage === STOPPED) return;
  leave();
  wait({ code: "hidden", message: "the page is in the back/forward cache" });
}
