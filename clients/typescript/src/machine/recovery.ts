// Positions: where each stream stands, how it continues after a reconnect, and what is lost. The four rules of
// docs/protocol.md, "History and recovery".
import { show, watch } from "./connection.js";
import { flush } from "./commands.js";
import { emit, open, sendOwn } from "./out.js";
import { acked, pump, reload } from "./subscriptions.js";
import { arm, disarm } from "./timers.js";
import { expires } from "./token.js";
import type { Gap, Message, Position, Step, Subscription } from "./types.js";

const TOPIC = "topic:";

export function topicOf(stream: string | undefined): string | undefined {
  return stream?.startsWith(TOPIC) ? stream.slice(TOPIC.length) : undefined;
}

/** The position of a topic, under the name of its stream. */
export function streamOf(topic: string): string {
  return TOPIC + topic;
}

function same(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.offset === b.offset;
}

function number(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}

export function welcome(m: Step, p: any): void {
  const s = m.state;
  if (s.phase !== "dialing") return;
  disarm(m, "dial");
  s.phase = "resuming";
  s.refusals = s.notBefore = 0;
  s.refused = s.reason = undefined;
  s.complete = true;
  s.welcomes += 1;
  const { min_ms, max_ms, spread_ms, burst } = { ...p.reconnect, ...p.limits };
  s.welcome = {
    min_ms: number(min_ms, 250),
    max_ms: number(max_ms, 30_000),
    spread_ms: number(spread_ms, 1_000),
    ping_ms: number(p.ping_ms, 25_000),
    burst: number(burst, 100),
  };
  // What another user received is no one else's to continue.
  if (s.user !== undefined && s.user !== p.user) {
    s.positions.clear();
    s.given.clear();
  }
  s.user = p.user;
  s.ticket = p.resume;
  streamsOf(m, p);
  watch(m);
  expires(m, p.token_expires_in_ms);
  if (!resume(m, p.resumed === true)) caughtUp(m);
  pump(m);
  flush(m);
}

/** The streams that this connection receives without a command. */
function streamsOf(m: Step, p: any): void {
  const s = m.state;
  const streams = new Map<string, Position>(Object.entries(p.streams ?? {}));
  s.held = [];
  for (const [stream, at] of streams) {
    const own = s.positions.get(stream);
    if (!own) s.positions.set(stream, at);
    else if (p.resumed === true) s.held.push(stream);
    else if (!same(own, at)) jump(m, stream, at);
  }
  for (const stream of [...s.positions.keys()]) {
    if (topicOf(stream) !== undefined || streams.has(stream)) continue;
    const lostRole = stream.startsWith("role:") && !(p.roles ?? []).includes(stream.slice(5));
    if (!lostRole) lose(m, { stream, reason: "no_history" });
    s.positions.delete(stream);
  }
}

/** Sends all positions in one command; returns whether there is anything to continue. */
function resume(m: Step, held: boolean): boolean {
  const s = m.state;
  const since = new Map<string, Position>();
  const topics: Subscription[] = [];
  for (const [stream, position] of s.positions) {
    const topic = topicOf(stream);
    const sub = topic === undefined ? undefined : s.subscriptions.get(topic);
    if (topic === undefined ? !s.held.includes(stream) : sub ? sub.phase !== "queued" : !s.given.has(topic)) continue;
    since.set(stream, position);
    if (sub) topics.push(sub);
  }
  if (!held && since.size === 0) return false;
  s.resume = sendOwn(m, { action: "resume", since: Object.fromEntries(since) });
  for (const sub of topics) {
    sub.phase = "asking";
    sub.command = s.resume;
    sub.recovered = 0;
  }
  return true;
}

/** The reply to `resume`: every stream has caught up. */
export function resumed(m: Step, id: number, streams: Record<string, Position> = {}): void {
  const s = m.state;
  if (s.resume !== id) return;
  s.resume = 0;
  keepAll(m, streams);
  for (const sub of s.subscriptions.values()) {
    if (sub.command === id) acked(m, sub, new Map(Object.entries(streams)).get(streamOf(sub.topic)));
  }
  caughtUp(m);
}

/** The server refused to resume: again after a pause, or each topic for itself. */
export function resumeRefused(m: Step, retry: boolean, after: number): void {
  const s = m.state;
  for (const sub of s.subscriptions.values()) {
    if (sub.command === s.resume) { sub.phase = "queued"; sub.command = 0; }
  }
  s.resume = 0;
  arm(m, "pace", after);
  if (retry) return;
  s.complete = false;
  caughtUp(m);
}

/** The pause is over. */
export function resumeAgain(m: Step): void {
  if (m.state.phase === "resuming" && !m.state.resume && !resume(m, m.state.held.length > 0)) caughtUp(m);
}

function caughtUp(m: Step): void {
  m.state.phase = "live";
  show(m);
}

/** Keeps a position that the server names, unless messages after it have come already. */
export function keep(m: Step, stream: string, at: Position, seen = 0): void {
  const own = m.state.positions.get(stream);
  const known = own?.epoch === at.epoch ? own.offset : own ? 0 : seen;
  m.state.positions.set(stream, { epoch: at.epoch, offset: Math.max(at.offset, known) });
}

export function keepAll(m: Step, streams: Record<string, Position> = {}): void {
  for (const [stream, at] of Object.entries(streams)) keep(m, stream, at);
}

/** The stream continues elsewhere than where this client stood. */
function jump(m: Step, stream: string, position: Position): void {
  lose(m, { stream, to: position.offset, position, reason: "not_resumed" });
  m.state.positions.set(stream, position);
}

export function gap(m: Step, p: Gap): void {
  lose(m, p);
  if (p.stream === undefined) return;
  if (p.position) m.state.positions.set(p.stream, p.position);
  else m.state.positions.delete(p.stream);
}

/** Emits a gap in its place between the messages. */
function lose(m: Step, p: Gap): void {
  const s = m.state;
  s.complete = false;
  const topic = topicOf(p.stream);
  const sub = topic === undefined ? undefined : s.subscriptions.get(topic);
  if (sub && !receives(sub) && !s.given.has(sub.topic)) return;
  const previous = s.positions.get(p.stream ?? "");
  const full: Gap = previous ? { ...p, previous } : p;
  emit(m, { kind: "gap", gap: full, topic, generation: sub?.generation ?? 0 });
  if (sub?.load) reload(m, sub, "gap");
}

/** Whether messages of its topic are for this subscription. */
function receives(sub: Subscription): boolean {
  return sub.count > 0 && !sub.leaving && (sub.phase === "asking" || sub.phase === "live");
}

/** A message: the position moves first, the handler runs later. */
export function publication(m: Step, message: Message): void {
  const s = m.state;
  const { topic, stream, offset } = message;
  const sub = topic === undefined ? undefined : s.subscriptions.get(topic);
  const mine = !sub || receives(sub);
  if (sub && !mine && (sub.leaving || sub.phase === "ended" || sub.phase === "loading") && !s.given.has(sub.topic)) return;
  if (stream !== undefined && typeof offset === "number") {
    const own = s.positions.get(stream);
    if (own && offset <= own.offset) return;
    if (own) s.positions.set(stream, { epoch: own.epoch, offset });
    else if (sub) sub.seen = offset;
  }
  if (sub?.phase === "asking") sub.recovered += 1;
  if (!mine && !s.given.has(sub.topic)) return;
  emit(m, { kind: "message", message, topic, generation: sub?.generation ?? 0 });
}

/** The backend gave a topic. */
export function subscribed(m: Step, topic: string, at: Position | undefined): void {
  const s = m.state;
  s.given.add(topic);
  if (!at) return;
  const stream = streamOf(topic);
  const own = s.positions.get(stream);
  if (!own) return keep(m, stream, at);
  // A `resume` in flight names the position: what is missing comes, or its gap.
  if (s.resume || !open(m) || (own.epoch === at.epoch && own.offset >= at.offset)) return;
  jump(m, stream, at);
}
