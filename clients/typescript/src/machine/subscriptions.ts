// Subscriptions: what the application wants, counted, and how it gets onto each connection.
import { emit, failure, fresh, open, s, sendOwn } from "./context.js";
import { ENDED, IDLE, LOADING, PENDING, QUEUED, STOPPED, SUBSCRIBED } from "./phases.js";
import { keep, paceExpired } from "./recovery.js";
import { streamOf, TOPIC } from "./streams.js";
import { arm, pause, PAUSE } from "./timers.js";
import type { Failure, Position, Stream } from "./types.js";

/** The wire follows the last subscriber after this time: a page that changes its view subscribes again. */
const LINGER = 1_000;
/** Subscribe commands in flight: half a burst at most, so that refusals never close the connection. */
const WINDOW = 32;
const LONGEST_LOAD_PAUSE = 30_000;

function emitLive(one: Stream): void {
  emit("status", { phase: "live", recovered: one.recovered, ...(one.at && { position: one.at }) }, one);
}

function emitPending(one: Stream): void {
  emit("status", { phase: "pending" }, one);
}

/** Whether the server has it, or is asked for it. */
export function wired({ stage }: Stream): boolean {
  return stage >= PENDING;
}

/** `handle` stands for one subscriber; the machine only counts them. */
export function subscribe(topic: string, handle: unknown, since?: Position, loads = false): void {
  const one = streamOf(TOPIC + topic);
  const first = !one.handles.size || one.stage === ENDED;
  one.handles.add(handle);
  if (first) {
    one.generation = fresh();
    one.recovered = 0;
  }
  // A state is loaded for each first subscriber: what one before it has loaded is not this one's.
  const reloads = first && loads;
  // It lingered, or has other subscribers: nothing changes on the wire.
  if (one.stage === SUBSCRIBED && !one.leaving && !reloads) return emitLive(one);
  if (!first || (one.stage === PENDING && !one.leaving && !reloads)) return;
  one.loads = loads;
  one.loadCount = 0;
  if (loads) reload(one, "first");
  else one.stage = QUEUED;
  if (since) one.at = since;
  pump();
}

export function unsubscribe(topic: string, handle: unknown): void {
  const one = streamOf(TOPIC + topic);
  if (!one.handles.delete(handle) || one.handles.size) return;
  if (wired(one)) arm(lingerExpired, LINGER, one.name);
  // With an older `unsubscribe` in flight, its reply ends it.
  else if (one.leaving) unask(one);
  else forget(one);
}

/** It is not subscribed any more. What was given stays. */
export function forget(one: Stream): void {
  one.stage = IDLE;
  one.generation = 0;
  if (one.given) return;
  one.at = undefined;
  s.table.delete(one.name);
}

export function lingerExpired(name: string): void {
  const one = s.table.get(name);
  if (!one || one.handles.size || one.stage === IDLE) return;
  // While an older `unsubscribe` is in flight, a later one waits.
  if (one.leaving) arm(lingerExpired, LINGER, name);
  else if (one.given) forget(one);
  else leaveTopic(one);
}

function leaveTopic(one: Stream): void {
  one.leaving = sendOwn("unsubscribe", unsubscribeReplied, { topic: one.topic }, one);
  one.at = undefined;
  unask(one);
}

/** It is asked for by this command. */
export function ask(one: Stream, command: number): void {
  one.stage = PENDING;
  one.asked = command;
  one.recovered = one.seen = 0;
}

/** It is to be asked for again. */
export function unask(one: Stream): void {
  one.stage = QUEUED;
  one.asked = 0;
}

/** Sends what is wanted and not asked for yet, in the order in which it was wanted. */
export function pump(): void {
  if (!open() || s.timers.has(paceExpired)) return;
  let free = Math.max(1, Math.min(WINDOW, Math.floor(s.terms.burst / 2)));
  for (const { replied } of s.sent.values()) if (replied === subscribeReplied) free -= 1;
  for (const one of s.table.values()) {
    const { topic, at: since, stage, handles } = one;
    if (stage === QUEUED && handles.size && free-- > 0) ask(one, sendOwn("subscribe", subscribeReplied, { topic, since }, one));
  }
}

/** The reply to a `subscribe`, unless it belongs to an older one. */
export function subscribeReplied(id: number, one: Stream, p: any, error?: Failure): void {
  if (error?.retry) pause(error);
  if (one.asked === id) {
    if (!error) acked(one, p.position);
    else if (error.retry) unask(one);
    else end(one, error);
  }
  pump();
}

export function acked(one: Stream, position: Position | undefined): void {
  one.stage = SUBSCRIBED;
  one.asked = one.loadCount = 0;
  if (position) keep(one, position, one.seen);
  else one.at = undefined;
  emitLive(one);
}

function end(one: Stream, error: Failure): void {
  one.stage = ENDED;
  one.asked = 0;
  one.at = undefined;
  emit("status", { phase: "ended", error }, one);
  if (!one.handles.size) forget(one);
}

export function unsubscribeReplied(id: number, one: Stream, _p: unknown, error?: Failure): void {
  if (one.leaving !== id) return;
  one.leaving = 0;
  // Wanted again meanwhile; or with a later `subscribe` on the wire, whose timer sends another `unsubscribe`.
  if (one.handles.size || one.stage !== QUEUED) return;
  if (!error?.retry) return forget(one);
  pause(error);
  pause(error, lingerExpired, one.name);
}

/** The server ended a subscription. */
export function unsubscribed(topic: string, reason: string): void {
  const one = streamOf(TOPIC + topic);
  one.given = false;
  // A `subscribe` in flight comes after it, and has its own reply.
  if (!one.leaving && (one.stage === SUBSCRIBED || (one.stage === PENDING && one.asked === s.resuming))) {
    end(one, failure(reason, `the server ended ${topic}: ${reason}`));
  } else if (one.stage === IDLE && !(one.at && s.resuming)) {
    // While streams resume, the backend may still give it again: the position stays.
    forget(one);
  }
}

/** The connection is gone. */
export function detach(): void {
  for (const one of s.table.values()) {
    if (one.stage === SUBSCRIBED) emitPending(one);
    if (wired(one)) one.stage = QUEUED;
    one.asked = one.leaving = 0;
    if (!one.at) one.given = false;
    if (!one.handles.size && (one.stage !== IDLE || !one.at)) forget(one);
  }
}

/** The application loads its state again: the wire waits, and continues from where the state was read. */
export function reload(one: Stream, reason: "first" | "gap"): void {
  if (wired(one)) {
    leaveTopic(one);
    emitPending(one);
  }
  one.stage = LOADING;
  one.loadReason = reason;
  one.loading = 0;
  if (one.loadCount) arm(load, Math.min(LONGEST_LOAD_PAUSE, PAUSE * 2 ** (one.loadCount - 1)), one.name);
  else load(one.name);
}

/** Begins to load, if that is what the subscription waits for. */
export function load(name: string): void {
  const one = s.table.get(name);
  if (one?.stage !== LOADING) return;
  one.loadCount += 1;
  one.loading = fresh();
  emit("load", one.loadReason, one);
}

/** The end of a load, by its number; `error` is what it threw. */
export function loaded(one: Stream, load: number, position: Position | null, failed?: string, error?: any): void {
  // After a stop it is loaded anew.
  if (one.stage !== LOADING || one.loading !== load || s.stage === STOPPED) return;
  if (failed !== undefined) {
    // The server refused what the load asked for, and will refuse it again.
    if (error?.retry === false && error.status >= 400 && error.status < 500) return end(one, { ...failure(error.code, failed), status: error.status });
    emit("error", failure("load_failed", failed, true));
    return reload(one, one.loadReason);
  }
  one.stage = QUEUED;
  if (position) one.at = position;
  pump();
}
