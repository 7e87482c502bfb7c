// The machine: one event in, effects out. No clock, no socket, no randomness: they come with the event. The state is
// plain data, changed in place (Rust's `&mut State`): the caller keeps no older one.
//
// What belongs to another attempt, token request or timer is dropped here, and nowhere else.
import { command, deadlineExpired, flush, refused, replied } from "./commands.js";
import { dialExpired, halt, heard, hide, idleExpired, lost, offline, online, retryExpired, start, wake } from "./connection.js";
import { emit, failure, open, report } from "./out.js";
import { gap, keepAll, publication, resumeAgain, resumed, resumeRefused, subscribed, welcome } from "./recovery.js";
import { lingerExpired, loaded, loadExpired, loadFailed, PAUSE, pump, subscribe, subscribeAcked, subscribeRefused, unsubscribe, unsubscribeAcked, unsubscribed, unsubscribeRefused } from "./subscriptions.js";
import { expired } from "./timers.js";
import { expires, refresh, refreshRefused, tokenArrived, tokenFailed } from "./token.js";
import type { Effect, Emission, Event, Failure, Options, Position, State, Step, Timer } from "./types.js";

/** A client that has not been started. */
export function initial(options: Options): State {
  return {
    options,
    phase: "stopped", shown: { phase: "stopped", since: 0 }, reason: undefined, retryAt: undefined,
    n: 0, nextId: options.firstId, nextKey: 1, generation: 0, timers: new Map(),
    tries: 0, attemptedAt: -Infinity, notBefore: 0, closing: undefined,
    request: 0, nextRequest: 1, token: undefined, refused: undefined, waitedWithRefused: false, refusals: 0,
    expiresAt: Infinity, refreshAt: Infinity, user: undefined, ticket: undefined,
    welcome: { min_ms: 250, max_ms: 30_000, spread_ms: 1_000, ping_ms: 25_000, burst: 100 },
    welcomes: 0, complete: true, resume: 0, held: [], heardAt: 0, probe: 0,
    positions: new Map(), subscriptions: new Map(), given: new Set(), sent: new Map(), commands: new Map(),
  };
}

export function step(state: State, event: Event, now: number, random: number): Effect[] {
  const m: Step = { state, now, random, effects: [] };
  switch (event.type) {
    case "start": start(m); break;
    case "stop": halt(m, "stopped", "stop() was called"); break;
    case "wake": wake(m); break;
    case "online": online(m); break;
    case "offline": offline(m); break;
    case "hide": hide(m); break;
    case "refresh": refresh(m); break;
    case "token": if (event.request === state.request) tokenArrived(m, event.token); break;
    case "tokenFailed": if (event.request === state.request) tokenFailed(m, event.message); break;
    case "frame": if (event.n === state.n) frame(m, event.text); break;
    case "closed": if (event.n === state.n) lost(m, event.code, event.reason); break;
    case "timer": if (expired(m, event.timer, event.key)) timer(m, event.timer); break;
    case "subscribe": subscribe(m, event.topic, event.since, event.load === true); break;
    case "unsubscribe": unsubscribe(m, event.topic); break;
    case "loaded": loaded(m, event.topic, event.generation, event.position); break;
    case "loadFailed": loadFailed(m, event.topic, event.generation, event.message); break;
    case "command": command(m, event.ref, event.command); break;
  }
  return m.effects;
}

function timer(m: Step, name: Timer): void {
  switch (name) {
    case "token": return tokenFailed(m, "the token provider took longer than 10 s");
    case "dial": return dialExpired(m);
    case "retry": return retryExpired(m);
    case "stable": m.state.tries = 0; return;
    case "idle": return idleExpired(m);
    case "refresh": return refresh(m);
    case "linger": return lingerExpired(m);
    case "command": return deadlineExpired(m);
    case "pace": resumeAgain(m); return pump(m);
    case "publish": return flush(m);
    case "load": return loadExpired(m);
  }
}

/** What this client does not know, it ignores: a later server sends more. */
function frame(m: Step, text: string): void {
  let received: any;
  try {
    received = JSON.parse(text);
  } catch {
    // Reported below.
  }
  if (typeof received !== "object" || received === null) return report(m, failure("bad_frame", "the server sent a frame that is not a JSON object"));
  heard(m);
  const p = received.payload ?? {};
  if (received.id !== undefined) return open(m) ? publication(m, received) : undefined;
  if (received.type === "welcome") return welcome(m, p);
  if (received.type === "closing") { m.state.closing = { after_ms: 0, spread_ms: 0, ...p }; return; }
  if (!open(m)) return;
  switch (received.type) {
    case "ack": return ack(m, p);
    case "error": return refusal(m, p);
    case "gap": return gap(m, p);
    case "subscribed": return subscribed(m, p.topic, p.position);
    case "unsubscribed": return unsubscribed(m, p.topic, p.reason);
    case "ping": m.effects.push({ type: "send", n: m.state.n, command: { action: "pong" } }); return;
    case "presence": emit(m, { kind: "frame", type: "presence", payload: p }); return;
  }
}

function ack(m: Step, p: any): void {
  const own = m.state.sent.get(p.id);
  m.state.sent.delete(p.id);
  switch (own?.action) {
    case undefined: return replied(m, p.id, p);
    case "subscribe": return subscribeAcked(m, p.id, own.topic as string, p.position);
    case "unsubscribe": return unsubscribeAcked(m, p.id, own.topic as string);
    case "resume": return resumed(m, p.id, p.streams);
    case "refresh":
      m.state.ticket = p.resume ?? m.state.ticket;
      keepAll(m, p.streams as Record<string, Position>);
      return expires(m, p.token_expires_in_ms);
  }
}

function refusal(m: Step, error: Failure & { id?: number }): void {
  const id = error.id ?? 0;
  const own = m.state.sent.get(id);
  m.state.sent.delete(id);
  const after = error.after_ms ?? PAUSE;
  switch (own?.action) {
    case undefined: return m.state.commands.has(id) ? refused(m, id, error) : error.id === undefined ? report(m, error) : undefined;
    case "subscribe": return subscribeRefused(m, id, own.topic as string, error);
    case "unsubscribe": return unsubscribeRefused(m, id, own.topic as string, error);
    case "resume": return resumeRefused(m, error.retry, after);
    case "refresh": return refreshRefused(m, error.code);
  }
}

/** Whether an emission may still be handed out: asked when its turn comes, because a handler may have ended it. */
export function deliverable(state: State, emission: Emission): boolean {
  if (state.phase === "stopped" && emission.kind !== "state" && emission.kind !== "error") return false;
  if (emission.kind !== "message" && emission.kind !== "gap") return true;
  if (emission.topic === undefined || emission.generation === 0 || state.given.has(emission.topic)) return true;
  const sub = state.subscriptions.get(emission.topic);
  return sub !== undefined && sub.count > 0 && sub.generation === emission.generation;
}
