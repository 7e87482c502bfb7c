// Subscriptions: what the application wants, counted, and how it gets onto each connection.
import { emit, failure, open, report, sendOwn } from "./out.js";
import { keep, streamOf } from "./recovery.js";
import { arm } from "./timers.js";
import type { Failure, Position, Step, Subscription, SubscriptionStatus } from "./types.js";

/** The wire follows the last subscriber after this time: a page that changes its view subscribes again. */
const LINGER = 1_000;
/** Subscribe commands in flight: half a burst at most, so that refusals never close the connection. */
const WINDOW = 32;
/** Before a refused command is sent again, if the server says no time. */
export const PAUSE = 1_000;
/** In place of the id of an `unsubscribe` that must be sent again. */
const AGAIN = -1;
const LONGEST_LOAD_PAUSE = 30_000;

function emitStatus(m: Step, sub: Subscription, status: SubscriptionStatus): void {
  emit(m, { kind: "subscription", topic: sub.topic, generation: sub.generation, status });
}

function emitLive(m: Step, sub: Subscription): void {
  const position = m.state.positions.get(streamOf(sub.topic));
  const status = { phase: "live", recovered: sub.recovered } as const;
  emitStatus(m, sub, position ? { ...status, position } : status);
}

export function subscribe(m: Step, topic: string, since: Position | undefined, load: boolean): void {
  const s = m.state;
  let sub = s.subscriptions.get(topic);
  if (!sub) {
    sub = { topic, count: 0, generation: 0, phase: "queued", load, loads: 0, loadAt: 0, loadReason: "first", command: 0, leaving: 0, lingerUntil: 0, seen: 0, recovered: 0 };
    s.subscriptions.set(topic, sub);
  }
  sub.count += 1;
  const ended = sub.phase === "ended";
  if (sub.count > 1 && !ended) return sub.phase === "live" ? emitLive(m, sub) : undefined;
  sub.generation = ++s.generation;
  if (sub.phase === "live" && !sub.leaving) {
    // It lingered: nothing changes on the wire.
    sub.recovered = 0;
    return emitLive(m, sub);
  }
  if (sub.phase === "asking" && !sub.leaving) return;
  sub.phase = "queued";
  sub.load = load;
  sub.loads = sub.recovered = sub.seen = 0;
  delete sub.error;
  if (since) s.positions.set(streamOf(topic), since);
  if (load) reload(m, sub, "first");
  else pump(m);
}

export function unsubscribe(m: Step, topic: string): void {
  const sub = m.state.subscriptions.get(topic);
  if (!sub || sub.count === 0) return;
  sub.count -= 1;
  if (sub.count > 0) return;
  if (open(m) && (sub.phase === "live" || sub.phase === "asking")) {
    sub.lingerUntil = m.now + LINGER;
    if (!m.state.timers.has("linger")) arm(m, "linger", LINGER);
  } else if (!sub.leaving) {
    forget(m, sub);
  }
}

function forget(m: Step, sub: Subscription): void {
  m.state.subscriptions.delete(sub.topic);
  if (!m.state.given.has(sub.topic)) m.state.positions.delete(streamOf(sub.topic));
}

export function lingerExpired(m: Step): void {
  let next = Infinity;
  for (const sub of [...m.state.subscriptions.values()]) {
    if (sub.count > 0) continue;
    // While an older `unsubscribe` is in flight, a later one waits.
    const due = sub.leaving ? m.now + LINGER : sub.lingerUntil;
    if (due > m.now) next = Math.min(next, due);
    else if (m.state.given.has(sub.topic)) forget(m, sub);
    else leaveTopic(m, sub);
  }
  if (next < Infinity) arm(m, "linger", next - m.now);
}

function leaveTopic(m: Step, sub: Subscription): void {
  sub.leaving = sendOwn(m, { action: "unsubscribe", topic: sub.topic }, sub.topic);
  sub.phase = "queued";
  sub.command = 0;
  m.state.positions.delete(streamOf(sub.topic));
}

/** Sends what is wanted and not asked for yet, in the order in which it was wanted. */
export function pump(m: Step): void {
  const s = m.state;
  if (!open(m) || s.timers.has("pace")) return;
  const window = Math.max(1, Math.min(WINDOW, Math.floor(s.welcome.burst / 2)));
  let asking = 0;
  for (const { action } of s.sent.values()) asking += Number(action === "subscribe");
  for (const sub of s.subscriptions.values()) {
    if (sub.leaving === AGAIN) {
      sub.leaving = 0;
      if (sub.count === 0 && sub.phase === "queued") leaveTopic(m, sub);
    }
    if (asking >= window) return;
    if (sub.phase !== "queued" || sub.count === 0) continue;
    const since = s.positions.get(streamOf(sub.topic));
    const command = { action: "subscribe", topic: sub.topic };
    sub.phase = "asking";
    sub.recovered = sub.seen = 0;
    sub.command = sendOwn(m, since ? { ...command, since } : command, sub.topic);
    asking += 1;
  }
}

/** The reply to a `subscribe`, unless it belongs to an older one. */
export function subscribeAcked(m: Step, id: number, topic: string, position: Position | undefined): void {
  const sub = m.state.subscriptions.get(topic);
  if (sub?.command === id) acked(m, sub, position);
  pump(m);
}

export function acked(m: Step, sub: Subscription, position: Position | undefined): void {
  const stream = streamOf(sub.topic);
  sub.phase = "live";
  sub.command = 0;
  sub.loads = 0;
  if (position) keep(m, stream, position, sub.seen);
  else m.state.positions.delete(stream);
  if (sub.count > 0) emitLive(m, sub);
}

export function subscribeRefused(m: Step, id: number, topic: string, error: Failure): void {
  const s = m.state;
  const sub = s.subscriptions.get(topic);
  if (error.retry) arm(m, "pace", error.after_ms ?? PAUSE);
  if (sub?.command === id) {
    sub.command = 0;
    if (error.retry) sub.phase = "queued";
    else end(m, sub, error);
  }
  pump(m);
}

function end(m: Step, sub: Subscription, error: Failure): void {
  sub.phase = "ended";
  sub.error = error;
  m.state.positions.delete(streamOf(sub.topic));
  if (sub.count > 0) emitStatus(m, sub, { phase: "ended", error });
  else m.state.subscriptions.delete(sub.topic);
}

export function unsubscribeAcked(m: Step, id: number, topic: string): void {
  const sub = m.state.subscriptions.get(topic);
  if (sub?.leaving !== id) return;
  sub.leaving = 0;
  // With a later `subscribe` on the wire, the timer sends another `unsubscribe`.
  if (sub.count === 0 && sub.phase === "queued") forget(m, sub);
}

/** Not now: it is sent again. */
export function unsubscribeRefused(m: Step, id: number, topic: string, error: Failure): void {
  const sub = m.state.subscriptions.get(topic);
  // Wanted again meanwhile: then the refusal is welcome.
  if (sub?.leaving !== id || !error.retry || sub.count > 0) return unsubscribeAcked(m, id, topic);
  sub.leaving = AGAIN;
  arm(m, "pace", error.after_ms ?? PAUSE);
}

/** The server ended a subscription. */
export function unsubscribed(m: Step, topic: string, reason: string): void {
  const s = m.state;
  const sub = s.subscriptions.get(topic);
  s.given.delete(topic);
  // Without a subscription here, and while streams resume, the backend may still give it again: the position stays.
  if (!sub && !s.resume) s.positions.delete(streamOf(topic));
  // A `subscribe` in flight comes after it, and has its own reply.
  if (!sub || sub.leaving || !(sub.phase === "live" || (sub.phase === "asking" && sub.command === s.resume))) return;
  sub.command = 0;
  end(m, sub, failure(reason, `the server ended the subscription to ${topic}: ${reason}`));
}

/** The connection is gone. */
export function detach(m: Step): void {
  const s = m.state;
  for (const sub of [...s.subscriptions.values()]) {
    const live = sub.phase === "live";
    sub.command = sub.leaving = 0;
    if (sub.count === 0) forget(m, sub);
    else if (live || sub.phase === "asking") {
      sub.phase = "queued";
      if (live) emitStatus(m, sub, { phase: "pending" });
    }
  }
  for (const topic of [...s.given]) if (!s.positions.has(streamOf(topic))) s.given.delete(topic);
}

/** The application loads its state again: the wire waits, and continues from where the state was read. */
export function reload(m: Step, sub: Subscription, reason: "first" | "gap"): void {
  if (open(m) && (sub.phase === "live" || sub.phase === "asking")) {
    leaveTopic(m, sub);
    emitStatus(m, sub, { phase: "pending" });
  }
  sub.phase = "loading";
  sub.loadReason = reason;
  if (sub.loads === 0) return begin(m, sub);
  const pause = Math.min(LONGEST_LOAD_PAUSE, PAUSE * 2 ** (sub.loads - 1));
  sub.loadAt = m.now + pause;
  const armed = m.state.timers.get("load");
  if (!armed || armed.due > sub.loadAt) arm(m, "load", pause);
}

function begin(m: Step, sub: Subscription): void {
  sub.loads += 1;
  sub.loadAt = 0;
  m.effects.push({ type: "load", topic: sub.topic, generation: sub.generation, reason: sub.loadReason });
}

export function loadExpired(m: Step): void {
  let next = Infinity;
  for (const sub of m.state.subscriptions.values()) {
    if (sub.phase !== "loading" || !sub.loadAt) continue;
    if (sub.loadAt <= m.now) begin(m, sub);
    else next = Math.min(next, sub.loadAt);
  }
  if (next < Infinity) arm(m, "load", next - m.now);
}

export function loaded(m: Step, topic: string, generation: number, position: Position | null): void {
  const sub = m.state.subscriptions.get(topic);
  if (sub?.generation !== generation || sub.phase !== "loading" || sub.loadAt) return;
  sub.phase = "queued";
  if (position) m.state.positions.set(streamOf(topic), position);
  pump(m);
}

export function loadFailed(m: Step, topic: string, generation: number, message: string): void {
  const sub = m.state.subscriptions.get(topic);
  if (sub?.generation !== generation || sub.phase !== "loading" || sub.loadAt) return;
  report(m, failure("load_failed", message, true));
  reload(m, sub, sub.loadReason);
}
