// The machine: one event in, effects out. No clock, no socket, no randomness: they come with the event. The state is
// plain data, changed in place (Rust's `&mut State`): the caller keeps no older one.
//
// What belongs to another attempt, token request or timer is dropped here, and nowhere else.
import { command, commandReplied } from "./commands.js";
import { halt, hide, lost, offline, online, received, start, wake } from "./connection.js";
import { begin, effect, emit, failure, open, s } from "./context.js";
import { STOPPED } from "./phases.js";
import { gap, publication, subscribed, welcome } from "./recovery.js";
import { streamOf } from "./streams.js";
import { loaded, subscribe, unsubscribe, unsubscribed } from "./subscriptions.js";
import { expired } from "./timers.js";
import { refresh, token } from "./token.js";
import type { Effect, Emission, Failure, Options, Session, State } from "./types.js";

/** A client that has not been started; with a session, it continues where another one stopped. */
export function initial(options: Options, session?: Session): State {
  const state: State = {
    ...session, ...options,
    stage: STOPPED, shown: { phase: "stopped", since: 0 },
    n: 0, lastNumber: 0, timers: new Map(), tries: 0, attemptedAt: -Infinity, notBefore: 0,
    requested: 0, refusals: 0, expiresAt: Infinity,
    terms: { min_ms: 250, max_ms: 30_000, spread_ms: 1_000, ping_ms: 25_000, burst: 100 },
    welcomes: session ? 1 : 0, complete: true, resuming: 0, receivedAt: 0, probe: 0,
    table: new Map(), sent: new Map(), commands: new Map(),
  };
  for (const [name, at] of Object.entries(session?.positions ?? {})) streamOf(name, at, state);
  return state;
}

const EVENTS = {
  start, wake, online, offline, hide, refresh, subscribe, unsubscribe, loaded, command, timer: expired,
  stop(): void { halt("stopped", "stop() was called"); },
  token(request: number, text: unknown, failed?: string): void { if (request === s.requested) token(text, failed); },
  frame(n: number, text: string): void { if (n === s.n) read(text); },
  closed(n: number, code: number, reason: string): void { if (n === s.n) lost(code, reason); },
};

/** An event: its name, and what it comes with. */
export type Event = { [K in keyof typeof EVENTS]: [type: K, ...rest: Parameters<(typeof EVENTS)[K]>] }[keyof typeof EVENTS];

export function step(state: State, [type, ...rest]: Event, now: number, random: number): Effect[] {
  const effects = begin(state, now, random);
  (EVENTS[type] as (...rest: unknown[]) => void)(...rest);
  return effects;
}

/** What this client does not know, it ignores: a later server sends more. */
function read(text: string): void {
  let frame: any;
  let id, type, payload;
  try {
    ({ id, type, payload } = frame = JSON.parse(text));
  } catch {
    return emit("error", failure("bad_frame", "a frame is no JSON object"));
  }
  received();
  const p = payload ?? {};
  if (id !== undefined) {
    if (open()) publication(frame);
  } else if (type === "welcome") {
    welcome(p);
  } else if (type === "closing") {
    s.closingFrame = p;
  } else if (open()) {
    control(type, p);
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
  if (own) own.replied(id, own.stream, p, error);
  else commandReplied(id, p, error);
}

/** Whether an emission may still be handed out: asked when it is handed out, because a handler may have ended it. */
export function deliverable({ stage }: State, [kind, , stream, generation]: Emission): boolean {
  if (stage === STOPPED) return kind === "state" || kind === "error" || kind === "settle";
  return !generation || (stream?.generation === generation && stream.handles.size > 0);
}
