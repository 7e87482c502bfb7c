// The machine: one event in, effects out. No clock, no socket, no randomness: they come with the event. The state is
// plain data, changed in place (Rust's `&mut State`): the caller keeps no older one.
//
// What belongs to another attempt, token request or timer is dropped here, and nowhere else.
import { command, commandExpired, commandReplied, flush } from "./commands.js";
import { attempt, dialExpired, halt, hide, idleExpired, lost, offline, online, received, start, wake } from "./connection.js";
import { begin, effect, emit, failure, open, s } from "./context.js";
import { gap, paceExpired, publication, resumeReplied, subscribed, welcome } from "./recovery.js";
import { lingerExpired, load, loaded, subscribe, subscribeReplied, unsubscribe, unsubscribed, unsubscribeReplied } from "./subscriptions.js";
import { expired } from "./timers.js";
import { refresh, refreshReplied, token, tokenExpired } from "./token.js";
import type { Effect, Emission, Failure, Options, State, Timer } from "./types.js";

/** A client that has not been started. */
export function initial(options: Options): State {
  return {
    ...options,
    phase: "stopped", shown: { phase: "stopped", since: 0 },
    n: 0, last: 0, timers: new Map(), tries: 0, attemptedAt: -Infinity, notBefore: 0,
    request: 0, refusals: 0, expiresAt: Infinity, refreshAt: Infinity,
    welcome: { min_ms: 250, max_ms: 30_000, spread_ms: 1_000, ping_ms: 25_000, burst: 100 },
    welcomes: 0, complete: true, resume: 0, receivedAt: 0, probe: 0,
    positions: new Map(), subscriptions: new Map(), given: new Set(), sent: new Map(), commands: new Map(),
  };
}

const EVENTS = {
  start, wake, online, offline, hide, refresh, subscribe, unsubscribe, loaded, command,
  stop(): void { halt("stopped", "stop() was called"); },
  token(request: number, text: unknown, failed?: string): void { if (request === s.request) token(text, failed); },
  frame(n: number, text: string): void { if (n === s.n) frame(text); },
  closed(n: number, code: number, reason: string): void { if (n === s.n) lost(code, reason); },
  timer(id: string, key: number): void {
    const timer = expired(id, key);
    if (timer) TIMERS[timer.kind](timer.subject);
  },
};

/** An event: its name, and what it comes with. */
export type Event = { [K in keyof typeof EVENTS]: [type: K, ...rest: Parameters<(typeof EVENTS)[K]>] }[keyof typeof EVENTS];

const TIMERS: Record<Timer, (subject: any) => void> = {
  token: tokenExpired, dial: dialExpired, retry: attempt, idle: idleExpired, refresh, pace: paceExpired, publish: flush,
  linger: lingerExpired, load, command: commandExpired,
  stable(): void { s.tries = 0; },
};

/** Replies to the machine's own commands: their id and subscription, the payload of the `ack`, or the error. */
const REPLIES: Record<string, (id: number, sub: any, p: any, error?: Failure) => void> = {
  subscribe: subscribeReplied, unsubscribe: unsubscribeReplied, resume: resumeReplied, refresh: refreshReplied, ping(): void {},
};

export function step(state: State, [type, ...rest]: Event, now: number, random: number): Effect[] {
  const effects = begin(state, now, random);
  (EVENTS[type] as (...rest: unknown[]) => void)(...rest);
  return effects;
}

/** What this client does not know, it ignores: a later server sends more. */
function frame(text: string): void {
  let json: any;
  try {
    json = JSON.parse(text);
  } catch {
    // Reported below.
  }
  if (typeof json !== "object" || !json) return emit("error", failure("bad_frame", "the server sent a frame that is not a JSON object"));
  received();
  const p = json.payload ?? {};
  if (json.id !== undefined) {
    if (open()) publication(json);
  } else if (json.type === "welcome") {
    welcome(p);
  } else if (json.type === "closing") {
    s.closing = p;
  } else if (open()) {
    control(json.type, p);
  }
}

function control(type: string, p: any): void {
  switch (type) {
    case "ack": return reply(p.id, p);
    case "error": return p.id === undefined ? emit("error", p) : reply(p.id, p, p);
    case "gap": return gap(p);
    case "subscribed": return subscribed(p.topic, p.position);
    case "unsubscribed": return unsubscribed(p.topic, p.reason);
    case "ping": return effect("send", s.n, { action: "pong" });
    case "presence": return emit("frame", { type, payload: p });
  }
}

function reply(id: number, p: unknown, error?: Failure): void {
  const own = s.sent.get(id);
  s.sent.delete(id);
  if (own) REPLIES[own.action]?.(id, own.sub, p, error);
  else commandReplied(id, p, error);
}

/** Whether an emission may still be handed out: asked when it is handed out, because a handler may have ended it. */
export function deliverable({ phase }: State, [kind, , sub, generation]: Emission): boolean {
  if (phase === "stopped") return kind === "state" || kind === "error" || kind === "settle";
  return !sub || (sub.handles.size > 0 && sub.generation === generation);
}
