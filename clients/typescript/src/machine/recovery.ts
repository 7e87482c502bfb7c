// Positions: where each stream stands, how it continues after a reconnect, and what is lost. The four rules of
// docs/protocol.md, "History and recovery".
import { flush } from "./commands.js";
import { dialExpired, show, watch } from "./connection.js";
import { emit, s, sendOwn } from "./context.js";
import { DIALING, ENDED, IDLE, LIVE, LOADING, PENDING, QUEUED, RESUMING } from "./phases.js";
import { streamOf, TOPIC } from "./streams.js";
import { acked, ask, forget, pump, reload, unask, wired } from "./subscriptions.js";
import { disarm, pause } from "./timers.js";
import { expires } from "./token.js";
import type { Failure, Gap, Message, Position, Stream } from "./types.js";

export function welcome(p: any): void {
  if (s.stage !== DIALING) return;
  disarm(dialExpired);
  s.stage = RESUMING;
  s.refusals = s.notBefore = 0;
  s.refused = undefined;
  s.complete = true;
  s.welcomes += 1;
  s.terms = { ...s.terms, ...p.reconnect, ...p.limits, ping_ms: p.ping_ms ?? s.terms.ping_ms };
  // What another user received is no one else's to continue.
  if (s.user !== undefined && s.user !== p.user) for (const one of s.table.values()) {
    one.at = undefined;
    one.given = false;
    if (!one.handles.size) forget(one);
  }
  s.user = p.user;
  s.ticket = p.resume;
  streamsOf(p);
  watch();
  expires(p.token_expires_in_ms);
  resume();
  pump();
  flush();
}

/** The streams that this connection receives without a command. */
function streamsOf({ streams = {}, roles = [], resumed }: any): void {
  s.held = resumed ? [] : undefined;
  for (const [name, at] of Object.entries<Position>(streams)) {
    const one = streamOf(name);
    if (!one.at) one.at = at;
    else if (s.held) s.held.push(one);
    else if (one.at.epoch !== at.epoch || one.at.offset !== at.offset) jump(one, at);
  }
  for (const one of s.table.values()) {
    const { name, topic } = one;
    if (topic !== undefined || Object.hasOwn(streams, name)) continue;
    const lostRole = name.startsWith("role:") && !roles.includes(name.slice(5));
    if (!lostRole) lose({ stream: name, reason: "no_history" }, one, one.at);
    s.table.delete(name);
  }
}

/** Sends all positions in one command, if there is anything to continue. */
export function resume(): void {
  const held = s.held ?? [];
  const all = [...s.table.values()].filter((one) => one.at && (one.stage === QUEUED || (one.stage === IDLE && (one.topic === undefined ? held.includes(one) : one.given))));
  if (!s.held && !all.length) return caughtUp();
  s.resuming = sendOwn("resume", resumeReplied, { since: Object.fromEntries(all.map(({ name, at }) => [name, at])) });
  for (const one of all) if (one.stage === QUEUED) ask(one, s.resuming);
}

/** The reply to `resume`: every stream has caught up. Refused, it is sent again, or each topic for itself. */
export function resumeReplied(id: number, _one: unknown, p: any, error?: Failure): void {
  s.resuming = 0;
  const asked = [...s.table.values()].filter(({ asked }) => asked === id);
  if (error) {
    pause(error);
    asked.forEach(unask);
    if (error.retry) return;
    s.complete = false;
  } else {
    const streams = keepAll(p.streams);
    for (const one of asked) acked(one, streams.get(one.name));
  }
  caughtUp();
}

/** The pause after a refusal is over. */
export function paceExpired(): void {
  if (s.stage === RESUMING && !s.resuming) resume();
  pump();
}

function caughtUp(): void {
  s.stage = LIVE;
  show("connected", undefined, undefined, s.welcomes > 1 ? s.complete : undefined);
}

/** Keeps a position that the server names, unless messages after it have come already. */
export function keep(one: Stream, { epoch, offset }: Position, seen = 0): void {
  const known = one.at?.epoch === epoch ? one.at.offset : one.at ? 0 : seen;
  one.at = { epoch, offset: Math.max(offset, known) };
}

export function keepAll(streams: Record<string, Position> = {}): Map<string, Position> {
  const all = new Map(Object.entries(streams));
  for (const [name, at] of all) {
    const one = streamOf(name);
    // What is loaded brings its own position.
    if (one.stage !== LOADING) keep(one, at);
  }
  return all;
}

/** The stream continues elsewhere than where this client stood. */
function jump(one: Stream, position: Position): void {
  gap({ stream: one.name, to: position.offset, position, reason: "not_resumed" });
}

export function gap(p: Gap): void {
  const one = s.table.get(p.stream as string);
  const previous = one?.at;
  if (one) one.at = p.position;
  lose(p, one, previous);
}

/** Emits a gap in its place between the messages. */
function lose(p: Gap, one: Stream | undefined, previous: Position | undefined): void {
  s.complete = false;
  if (!receives(one)) return;
  emit("gap", previous ? { ...p, previous } : p, one, one?.given ? 0 : one?.generation);
  if (one?.loads) reload(one, "gap");
}

/** Whether messages of a stream are for the application. */
function receives(one: Stream | undefined): boolean {
  return !one || one.given || one.stage === IDLE || (one.handles.size > 0 && !one.leaving && wired(one));
}

/** A message: the position moves first, the handler runs later. */
export function publication(message: Message): void {
  const { topic, stream, offset } = message;
  const one = s.table.get(topic === undefined ? stream as string : TOPIC + topic);
  const mine = receives(one);
  if (one) {
    if (!mine && (one.leaving || one.stage === ENDED || one.stage === LOADING)) return;
    if (offset !== undefined) {
      if (!one.at) one.seen = offset;
      else if (offset <= one.at.offset) return;
      else one.at = { epoch: one.at.epoch, offset };
    }
    if (one.stage === PENDING) one.recovered += 1;
  }
  if (mine) emit("message", message, one, one?.given ? 0 : one?.generation);
}

/** The backend gave a topic. */
export function subscribed(topic: string, at: Position | undefined): void {
  const one = streamOf(TOPIC + topic);
  one.given = true;
  if (!at) return;
  if (!one.at) return keep(one, at);
  // A `resume` in flight names the position: what is missing comes, or its gap.
  if (s.resuming || (one.at.epoch === at.epoch && one.at.offset >= at.offset)) return;
  jump(one, at);
}
