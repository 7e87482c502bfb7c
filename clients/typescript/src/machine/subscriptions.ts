// Subscriptions: what the application wants, counted, and how it gets onto each connection. They are kept by the names
// of their streams.
import { emit, failure, fresh, open, s, sendOwn } from "./context.js";
import { keep, streamOf } from "./recovery.js";
import { arm, pause, PAUSE } from "./timers.js";
import type { Failure, Position, Subscription } from "./types.js";

/** The wire follows the last subscriber after this time: a page that changes its view subscribes again. */
const LINGER = 1_000;
/** Subscribe commands in flight: half a burst at most, so that refusals never close the connection. */
const WINDOW = 32;
const LONGEST_LOAD_PAUSE = 30_000;

function emitLive(sub: Subscription): void {
  const position = s.positions.get(sub.stream);
  emit("status", { phase: "live", recovered: sub.recovered, ...(position && { position }) }, sub);
}

/** Whether the server has it, or is asked for it. */
export function wired({ phase }: Subscription): boolean {
  return phase === "live" || phase === "asking";
}

/** `handle` stands for one subscriber; the machine only counts them. */
export function subscribe(topic: string, handle: unknown, since?: Position, loads = false): void {
  const stream = streamOf(topic);
  let sub = s.subscriptions.get(stream);
  if (!sub) {
    sub = { topic, stream, handles: new Set(), generation: 0, phase: "queued", loads, loaded: 0, load: 0, reason: "first", command: 0, leaving: 0, seen: 0, recovered: 0 };
    s.subscriptions.set(stream, sub);
  }
  const first = !sub.handles.size || sub.phase === "ended";
  sub.handles.add(handle);
  if (first) {
    sub.generation = fresh();
    sub.recovered = 0;
  }
  // It lingered, or has other subscribers: nothing changes on the wire.
  if (sub.phase === "live" && !sub.leaving) return emitLive(sub);
  if (!first || (sub.phase === "asking" && !sub.leaving)) return;
  sub.phase = "queued";
  sub.loads = loads;
  sub.loaded = 0;
  if (since) s.positions.set(stream, since);
  if (loads) reload(sub, "first");
  else pump();
}

export function unsubscribe(topic: string, handle: unknown): void {
  const sub = s.subscriptions.get(streamOf(topic));
  if (!sub?.handles.delete(handle) || sub.handles.size) return;
  if (wired(sub)) arm("linger", LINGER, sub.stream);
  else if (!sub.leaving) forget(sub);
}

function forget(sub: Subscription): void {
  sub.phase = "ended";
  s.subscriptions.delete(sub.stream);
  if (!s.given.has(sub.stream)) s.positions.delete(sub.stream);
}

export function lingerExpired(stream: string): void {
  const sub = s.subscriptions.get(stream);
  if (!sub || sub.handles.size) return;
  // While an older `unsubscribe` is in flight, a later one waits.
  if (sub.leaving) arm("linger", LINGER, stream);
  else if (s.given.has(stream)) forget(sub);
  else leaveTopic(sub);
}

function leaveTopic(sub: Subscription): void {
  sub.leaving = sendOwn("unsubscribe", { topic: sub.topic }, sub);
  sub.phase = "queued";
  sub.command = 0;
  s.positions.delete(sub.stream);
}

/** It is asked for by this command. */
export function ask(sub: Subscription, command: number): void {
  sub.phase = "asking";
  sub.command = command;
  sub.recovered = sub.seen = 0;
}

/** Sends what is wanted and not asked for yet, in the order in which it was wanted. */
export function pump(): void {
  if (!open() || s.timers.has("pace")) return;
  let free = Math.max(1, Math.min(WINDOW, Math.floor(s.welcome.burst / 2)));
  for (const { action } of s.sent.values()) if (action === "subscribe") free -= 1;
  for (const sub of s.subscriptions.values()) {
    if (sub.phase !== "queued" || !sub.handles.size || free-- <= 0) continue;
    ask(sub, sendOwn("subscribe", { topic: sub.topic, since: s.positions.get(sub.stream) }, sub));
  }
}

/** The reply to a `subscribe`, unless it belongs to an older one. */
export function subscribeReplied(id: number, sub: Subscription, p: any, error?: Failure): void {
  if (error?.retry) pause(error);
  if (sub.command === id) {
    if (!error) acked(sub, p.position);
    else if (error.retry) unask(sub);
    else end(sub, error);
  }
  pump();
}

/** It is to be asked for again. */
export function unask(sub: Subscription): void {
  sub.phase = "queued";
  sub.command = 0;
}

export function acked(sub: Subscription, position: Position | undefined): void {
  sub.phase = "live";
  sub.command = sub.loaded = 0;
  if (position) keep(sub.stream, position, sub.seen);
  else s.positions.delete(sub.stream);
  emitLive(sub);
}

function end(sub: Subscription, error: Failure): void {
  sub.phase = "ended";
  sub.command = 0;
  s.positions.delete(sub.stream);
  emit("status", { phase: "ended", error }, sub);
  if (!sub.handles.size) s.subscriptions.delete(sub.stream);
}

export function unsubscribeReplied(id: number, sub: Subscription, _p: unknown, error?: Failure): void {
  if (sub.leaving !== id) return;
  sub.leaving = 0;
  // Wanted again meanwhile; or with a later `subscribe` on the wire, whose timer sends another `unsubscribe`.
  if (sub.handles.size || sub.phase !== "queued") return;
  if (!error?.retry) return forget(sub);
  pause(error);
  pause(error, "linger", sub.stream);
}

/** The server ended a subscription. */
export function unsubscribed(topic: string, reason: string): void {
  const stream = streamOf(topic);
  const sub = s.subscriptions.get(stream);
  s.given.delete(stream);
  // Without a subscription here, and while streams resume, the backend may still give it again: the position stays.
  if (!sub && !s.resume) s.positions.delete(stream);
  // A `subscribe` in flight comes after it, and has its own reply.
  if (!sub || sub.leaving || !(sub.phase === "live" || (sub.phase === "asking" && sub.command === s.resume))) return;
  end(sub, failure(reason, `the server ended the subscription to ${topic}: ${reason}`));
}

/** The connection is gone. */
export function detach(): void {
  for (const sub of s.subscriptions.values()) {
    if (sub.phase === "live") emit("status", { phase: "pending" }, sub);
    if (wired(sub)) sub.phase = "queued";
    sub.command = sub.leaving = 0;
    if (!sub.handles.size) forget(sub);
  }
  for (const stream of s.given) if (!s.positions.has(stream)) s.given.delete(stream);
}

/** The application loads its state again: the wire waits, and continues from where the state was read. */
export function reload(sub: Subscription, reason: "first" | "gap"): void {
  if (wired(sub)) {
    leaveTopic(sub);
    emit("status", { phase: "pending" }, sub);
  }
  sub.phase = "loading";
  sub.reason = reason;
  sub.load = 0;
  if (sub.loaded) arm("load", Math.min(LONGEST_LOAD_PAUSE, PAUSE * 2 ** (sub.loaded - 1)), sub.stream);
  else load(sub.stream);
}

/** Begins to load, if that is what the subscription waits for. */
export function load(stream: string): void {
  const sub = s.subscriptions.get(stream);
  if (sub?.phase !== "loading") return;
  sub.loaded += 1;
  sub.load = fresh();
  emit("load", sub.reason, sub);
}

/** The end of a load, by its number. */
export function loaded(sub: Subscription, load: number, position: Position | null, failed?: string): void {
  if (sub.phase !== "loading" || sub.load !== load) return;
  if (failed !== undefined) {
    emit("error", failure("load_failed", failed, true));
    return reload(sub, sub.reason);
  }
  sub.phase = "queued";
  if (position) s.positions.set(sub.stream, position);
  pump();
}
