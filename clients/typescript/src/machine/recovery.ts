// Positions: where each stream stands, how it continues after a reconnect, and what is lost. The four rules of
// docs/protocol.md, "History and recovery".
import { flush } from "./commands.js";
import { show, watch } from "./connection.js";
import { emit, open, s, sendOwn } from "./context.js";
import { acked, ask, pump, reload, unask, wired } from "./subscriptions.js";
import { disarm, pause } from "./timers.js";
import { expires } from "./token.js";
import type { Failure, Gap, Message, Position, Subscription } from "./types.js";

const TOPIC = "topic:";

/** The stream of a topic. */
export function streamOf(topic: string): string {
  return TOPIC + topic;
}

function isTopic(stream: string): boolean {
  return stream.startsWith(TOPIC);
}

export function welcome(p: any): void {
  if (s.phase !== "dialing") return;
  disarm("dial");
  s.phase = "resuming";
  s.refusals = s.notBefore = 0;
  s.refused = undefined;
  s.complete = true;
  s.welcomes += 1;
  s.welcome = { ...s.welcome, ...p.reconnect, ...p.limits, ping_ms: p.ping_ms ?? s.welcome.ping_ms };
  // What another user received is no one else's to continue.
  if (s.user !== undefined && s.user !== p.user) {
    s.positions.clear();
    s.given.clear();
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
  for (const [stream, at] of Object.entries<Position>(streams)) {
    const own = s.positions.get(stream);
    if (!own) s.positions.set(stream, at);
    else if (s.held) s.held.push(stream);
    else if (own.epoch !== at.epoch || own.offset !== at.offset) jump(stream, at);
  }
  for (const stream of s.positions.keys()) {
    if (isTopic(stream) || Object.hasOwn(streams, stream)) continue;
    const lostRole = stream.startsWith("role:") && !roles.includes(stream.slice(5));
    if (!lostRole) lose({ stream, reason: "no_history" });
    s.positions.delete(stream);
  }
}

/** Sends all positions in one command, if there is anything to continue. */
export function resume(): void {
  const since: [string, Position][] = [];
  const subs: Subscription[] = [];
  for (const at of s.positions) {
    const [stream] = at;
    const sub = s.subscriptions.get(stream);
    if (!isTopic(stream) ? !s.held?.includes(stream) : sub ? sub.phase !== "queued" : !s.given.has(stream)) continue;
    since.push(at);
    if (sub) subs.push(sub);
  }
  if (!s.held && !since.length) return caughtUp();
  s.resume = sendOwn("resume", { since: Object.fromEntries(since) });
  for (const sub of subs) ask(sub, s.resume);
}

/** The reply to `resume`: every stream has caught up. Refused, it is sent again, or each topic for itself. */
export function resumeReplied(id: number, _sub: unknown, p: any, error?: Failure): void {
  s.resume = 0;
  const subs = [...s.subscriptions.values()].filter(({ command }) => command === id);
  if (error) {
    pause(error);
    subs.forEach(unask);
    if (error.retry) return;
    s.complete = false;
  } else {
    const streams = keepAll(p.streams);
    for (const sub of subs) acked(sub, streams.get(sub.stream));
  }
  caughtUp();
}

/** The pause after a refusal is over. */
export function paceExpired(): void {
  if (s.phase === "resuming" && !s.resume) resume();
  pump();
}

function caughtUp(): void {
  s.phase = "live";
  show("connected", undefined, undefined, s.welcomes > 1 ? s.complete : undefined);
}

/** Keeps a position that the server names, unless messages after it have come already. */
export function keep(stream: string, at: Position, seen = 0): void {
  const own = s.positions.get(stream);
  const known = own?.epoch === at.epoch ? own.offset : own ? 0 : seen;
  s.positions.set(stream, { epoch: at.epoch, offset: Math.max(at.offset, known) });
}

export function keepAll(streams: Record<string, Position> = {}): Map<string, Position> {
  const all = new Map(Object.entries(streams));
  for (const [stream, at] of all) keep(stream, at);
  return all;
}

/** The stream continues elsewhere than where this client stood. */
function jump(stream: string, position: Position): void {
  gap({ stream, to: position.offset, position, reason: "not_resumed" });
}

export function gap(p: Gap): void {
  lose(p);
  if (p.position) s.positions.set(p.stream as string, p.position);
  else s.positions.delete(p.stream as string);
}

/** Emits a gap in its place between the messages. */
function lose(p: Gap): void {
  s.complete = false;
  const stream = p.stream as string;
  const sub = s.subscriptions.get(stream);
  if (!receives(stream, sub)) return;
  const previous = s.positions.get(stream);
  emit("gap", previous ? { ...p, previous } : p, s.given.has(stream) ? undefined : sub);
  if (sub?.loads) reload(sub, "gap");
}

/** Whether messages of a stream are for the application. */
function receives(stream: string, sub: Subscription | undefined): boolean {
  return !sub || s.given.has(stream) || (sub.handles.size > 0 && !sub.leaving && wired(sub));
}

/** A message: the position moves first, the handler runs later. */
export function publication(message: Message): void {
  const { topic, stream, offset } = message;
  const key = topic === undefined ? "" : streamOf(topic);
  const sub = s.subscriptions.get(key);
  const mine = receives(key, sub);
  if (!mine && sub && (sub.leaving || sub.phase === "ended" || sub.phase === "loading")) return;
  if (stream !== undefined && offset !== undefined) {
    const own = s.positions.get(stream);
    if (own && offset <= own.offset) return;
    if (own) s.positions.set(stream, { epoch: own.epoch, offset });
    else if (sub) sub.seen = offset;
  }
  if (sub?.phase === "asking") sub.recovered += 1;
  if (mine) emit("message", message, s.given.has(key) ? undefined : sub);
}

/** The backend gave a topic. */
export function subscribed(topic: string, at: Position | undefined): void {
  const stream = streamOf(topic);
  s.given.add(stream);
  if (!at) return;
  const own = s.positions.get(stream);
  if (!own) return keep(stream, at);
  // A `resume` in flight names the position: what is missing comes, or its gap.
  if (s.resume || !open() || (own.epoch === at.epoch && own.offset >= at.offset)) return;
  jump(stream, at);
}
