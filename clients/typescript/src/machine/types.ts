// The data of the machine: its state, and what comes out (effects); `step.ts` has what goes in (events). Plain data only:
// no class, no promise, no clock. Times are milliseconds; `now` is a clock that the driver reads.

import type { Phase, StreamPhase } from "./phases.js";

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

export interface Reason { code: number | string; message: string }

/** What an application sees of the connection. */
export interface ConnectionState {
  /** `connected`: every stream has caught up. `waiting`: until `retryAt`, or until the network is back. */
  phase: "stopped" | "waiting" | "connecting" | "connected";
  /** Since when, by the client's clock. */
  since: number;
  /** When the next attempt begins, if a time is set for it. */
  retryAt?: number | undefined;
  /** Why the client waits or has stopped. */
  reason?: Reason | undefined;
  /** While connected again: whether each stream with history continued without a gap. */
  resumed?: boolean | undefined;
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

/** What the application gets. `load`: a subscription's state is to be loaded, and why. `settle`: a command has ended. */
export interface Emissions {
  state: ConnectionState;
  message: Message;
  gap: Gap;
  status: SubscriptionStatus;
  frame: { type: string; payload: any };
  error: Failure;
  load: "first" | "gap";
  settle: { ref: any; error?: Failure | undefined; result?: any };
}

/** In this order. `generation`: it is for this subscription of the topic alone. */
export type Emission = { [K in keyof Emissions]: [kind: K, value: Emissions[K], stream?: Stream, generation?: number] }[keyof Emissions];

/** What the driver does at once. `n` is the attempt; a timer has an identity, and a key that its expiry brings back. */
export interface Actions {
  askToken(request: number, reason: TokenReason): void;
  dial(n: number, protocols: string[], query: Record<string, string>): void;
  send(n: number, command: Command): void;
  drop(n: number): void;
  arm(timer: unknown, key: number, ms: number): void;
  disarm(timer: unknown): void;
}

export type Effect = Emission | { [K in keyof Actions]: [type: K, ...rest: Parameters<Actions[K]>] }[keyof Actions];

/** `live`: the server said so. `recovered` messages were missed and came. `ended`: by the server, or refused. */
export type SubscriptionStatus =
  | { phase: "pending" }
  | { phase: "live"; position?: Position; recovered: number }
  | { phase: "ended"; error: Failure };

/** Why a token is asked for. */
export type TokenReason = "connect" | "expiring" | "refused";

/** A command as it is sent, without its `id`. */
export interface Command { action: string; [field: string]: unknown }

/** Everything about one stream: its position, whether it comes without a command, and who subscribes to its topic. */
export interface Stream {
  name: string;
  /** Of a stream that is not of a topic (`user`, `all`, `role:NAME`): undefined. */
  topic: string | undefined;
  /** The last position that the client has. */
  at: Position | undefined;
  /** The server's own stream, or a topic that the backend gave. */
  given: boolean;
  /** Subscribers in the application, each by something of its own. Without any it lingers, then the wire follows. */
  handles: Set<any>;
  /** Another one each time that the first subscriber comes; 0: never subscribed. */
  generation: number;
  stage: StreamPhase;
  /** The application loads its state first; why; the number of the load that runs, 0: none; loads since it was live. */
  loads: boolean;
  loadReason: "first" | "gap";
  loading: number;
  loadCount: number;
  /** The command in flight, `subscribe` or `resume`; 0: none. */
  asked: number;
  /** The `unsubscribe` in flight: until its reply, messages are of an older generation. 0: none. */
  leaving: number;
  /** The last offset before the position is known. */
  seen: number;
  /** Messages since `since` was sent. */
  recovered: number;
}

/** The reply to a command of the machine: its id and stream, the payload of the `ack`, or the error. */
export type Replied = (id: number, stream: any, p: any, error?: Failure) => void;

/** A command of the application. */
export interface Pending {
  ref: unknown;
  body: Command;
  sent: boolean;
  bytes: number;
  tries: number;
}

export interface Options {
  client: string;
  /** The id of the next command. */
  nextId: number;
  maxOffline: number;
  maxOfflineBytes: number;
}

/** What a client needs to continue after a reload of the page; keep it where only this tab reads it. */
export interface Session {
  client: string;
  ticket?: string;
  user?: string;
  positions: Record<string, Position>;
}

export interface State extends Options {
  stage: Phase;
  shown: ConnectionState;
  /** The attempt. It rises and never repeats: what belongs to another is dropped. */
  n: number;
  /** The last number that was given to an attempt, a token request, a timer or a subscription. */
  lastNumber: number;
  /** By subject, or by what runs. */
  timers: Map<unknown, { run: (subject: any) => void; key: number; due: number; graced: boolean }>;
  /** Failed attempts since the connection was last stable. */
  tries: number;
  attemptedAt: number;
  /** No attempt before it, whatever happens: the server asked for it. */
  notBefore: number;
  closingFrame?: { code: number; reason: string; reconnect?: boolean; after_ms?: number; spread_ms?: number } | undefined;
  /** The token request that is pending; 0: none. */
  requested: number;
  lastToken?: string;
  /** The token that was refused, until it was waited with. */
  refused?: string | undefined;
  /** Refusals of a token in a row. */
  refusals: number;
  expiresAt: number;
  user?: string;
  ticket?: string | undefined;
  terms: { min_ms: number; max_ms: number; spread_ms: number; ping_ms: number; burst: number };
  /** Connections so far. */
  welcomes: number;
  /** No gap since `welcome`. */
  complete: boolean;
  /** The command `resume` in flight; 0: none. */
  resuming: number;
  /** The server's streams that wait for `resume`, if it accepted the ticket. */
  held?: Stream[] | undefined;
  receivedAt: number;
  /** The ping that waits for any frame; 0: none. */
  probe: number;
  /** By name. */
  table: Map<string, Stream>;
  /** The machine's own commands in flight, by id. */
  sent: Map<number, { replied: Replied; stream: Stream | undefined }>;
  /** The application's commands, by id, in their order. */
  commands: Map<number, Pending>;
}
