// The data of the machine: its state, what goes in (events) and what comes out (effects). Plain data only: no class, no
// promise, no clock. Times are milliseconds; `now` is a clock that the driver reads.

/** A place in a stream: the epoch of its history, and the offset of the last message. */
export interface Position { epoch: string; offset: number }

/** An error of the server, or of the client itself (`status` 0). */
export interface Failure {
  code: string;
  message: string;
  status: number;
  retry: boolean;
  after_ms?: number;
  errors?: { path: string; message: string }[];
}

/** What an application sees of the connection. */
export interface ConnectionState {
  /** `connected`: every stream has caught up. `waiting`: until `retryAt`, or until the network is back. */
  phase: "stopped" | "waiting" | "connecting" | "connected";
  /** Since when, by the client's clock. */
  since: number;
  /** When the next attempt begins, if a time is set for it. */
  retryAt?: number;
  /** Why the client waits or has stopped. */
  reason?: { code: number | string; message: string };
  /** While connected again: whether each stream with history continued without a gap. */
  resumed?: boolean;
}

/** A publication, as the server sent it. */
export interface Message {
  type: string;
  payload: unknown;
  timestamp: string;
  id: string;
  topic?: string;
  stream?: string;
  offset?: number;
}

/** Messages that this client can no longer receive. */
export interface Gap {
  stream?: string;
  from?: number;
  to?: number;
  missed?: number;
  /** Where the stream continues. */
  position?: Position;
  /** The client's own position before the gap: the last that it had. */
  previous?: Position;
  reason: string;
}

/** What the driver hands to the application, in this order. `generation` says which subscription it is for; 0: none. */
export type Emission =
  | { kind: "state"; state: ConnectionState }
  | { kind: "message"; message: Message; topic: string | undefined; generation: number }
  | { kind: "gap"; gap: Gap; topic: string | undefined; generation: number }
  | { kind: "subscription"; topic: string; generation: number; status: SubscriptionStatus }
  | { kind: "frame"; type: string; payload: any }
  | { kind: "error"; error: Failure };

/** `live`: the server said so. `recovered` messages were missed and came. `ended`: by the server, or refused. */
export type SubscriptionStatus =
  | { phase: "pending" }
  | { phase: "live"; position?: Position; recovered: number }
  | { phase: "ended"; error: Failure };

export type Timer = "token" | "dial" | "retry" | "stable" | "idle" | "refresh" | "linger" | "command" | "pace" | "publish" | "load";

/** Why a token is asked for. */
export type TokenReason = "connect" | "expiring" | "refused";

/** A command as it is sent, without its `id`. */
export interface Command { action: string; [field: string]: unknown }

export type Event =
  | { type: "start" | "stop" | "wake" | "online" | "offline" | "hide" | "refresh" }
  | { type: "token"; request: number; token: unknown }
  | { type: "tokenFailed"; request: number; message: string }
  | { type: "frame"; n: number; text: string }
  | { type: "closed"; n: number; code: number; reason: string }
  | { type: "timer"; timer: Timer; key: number }
  | { type: "subscribe"; topic: string; since?: Position | undefined; load?: boolean | undefined }
  | { type: "unsubscribe"; topic: string }
  | { type: "loaded"; topic: string; generation: number; position: Position | null }
  | { type: "loadFailed"; topic: string; generation: number; message: string }
  | { type: "command"; ref: number | string; command: Command };

export type Effect =
  | { type: "askToken"; request: number; reason: TokenReason }
  | { type: "dial"; n: number; protocols: string[]; query: Record<string, string> }
  | { type: "send"; n: number; command: Command & { id?: number } }
  | { type: "drop"; n: number; code: number }
  | { type: "arm"; timer: Timer; key: number; ms: number }
  | { type: "disarm"; timer: Timer }
  | { type: "settle"; ref: number | string; result?: any; error?: Failure }
  | { type: "load"; topic: string; generation: number; reason: "first" | "gap" }
  | { type: "emit"; emission: Emission };

export interface Subscription {
  topic: string;
  /** Subscribers in the application. At 0 it lingers, then the wire follows. */
  count: number;
  /** Rises each time that the count rises from 0. */
  generation: number;
  phase: "loading" | "queued" | "asking" | "live" | "ended";
  /** The application loads its state first. */
  load: boolean;
  /** Loads since it was last live, and when the next begins; 0: it has begun. */
  loads: number;
  loadAt: number;
  loadReason: "first" | "gap";
  /** The command in flight, `subscribe` or `resume`; 0: none. */
  command: number;
  /** The `unsubscribe` in flight: until its reply, messages are of an older generation. 0: none. */
  leaving: number;
  lingerUntil: number;
  /** The last offset before the position is known. */
  seen: number;
  /** Messages since `since` was sent. */
  recovered: number;
  error?: Failure;
}

/** A command of the application. */
export interface Pending {
  ref: number | string;
  command: Command;
  /** The attempt on whose connection it was sent; 0: not sent. */
  sent: number;
  due: number;
  bytes: number;
  tries: number;
}

export interface Options {
  client: string;
  firstId: number;
  maxOffline: number;
  maxOfflineBytes: number;
}

export interface State {
  options: Options;
  phase: "stopped" | "waiting" | "token" | "dialing" | "resuming" | "live";
  shown: ConnectionState;
  reason: { code: number | string; message: string } | undefined;
  retryAt: number | undefined;
  /** The attempt. It rises and never repeats: what belongs to another is dropped. */
  n: number;
  nextId: number;
  nextKey: number;
  generation: number;
  timers: Map<Timer, { key: number; due: number; clamped: boolean; graced: boolean }>;
  /** Failed attempts since the connection was last stable. */
  tries: number;
  attemptedAt: number;
  /** No attempt before it, whatever happens: the server asked for it. */
  notBefore: number;
  closing: { code: number; reason: string; reconnect?: boolean; after_ms: number; spread_ms: number } | undefined;
  /** The token request that is pending; 0: none. */
  request: number;
  nextRequest: number;
  token: string | undefined;
  refused: string | undefined;
  waitedWithRefused: boolean;
  /** Refusals of a token in a row. */
  refusals: number;
  expiresAt: number;
  refreshAt: number;
  user: string | undefined;
  ticket: string | undefined;
  welcome: { min_ms: number; max_ms: number; spread_ms: number; ping_ms: number; burst: number };
  /** Connections so far. */
  welcomes: number;
  /** No gap since `welcome`. */
  complete: boolean;
  /** The command `resume` in flight; 0: none. */
  resume: number;
  /** The server's streams that wait for `resume`. */
  held: string[];
  heardAt: number;
  /** The ping that waits for any frame; 0: none. */
  probe: number;
  positions: Map<string, Position>;
  subscriptions: Map<string, Subscription>;
  /** Topics that the backend gave. */
  given: Set<string>;
  /** The machine's own commands in flight, by id. */
  sent: Map<number, { action: string; topic?: string }>;
  /** The application's commands, by id, in their order. */
  commands: Map<number, Pending>;
}

/** One step: the state, the time, one random number of [0, 1), and the effects so far. */
export interface Step { state: State; now: number; random: number; effects: Effect[] }
