// What an application gives to the client, and what it gets back.
import type { Clock, TokenProvider } from "./driver.js";
import type { Message, Position, Session, SubscriptionStatus } from "./machine/types.js";

export interface Options {
  /** The server's `/ws`. */
  url: string;
  /** A token, or a function that is asked before every attempt. `null`: no user is signed in. */
  token: TokenProvider;
  /** The name of this tab or device: 1 to 64 characters, the same over reconnects. A random one by default. */
  client?: string;
  /** Where there is no global `WebSocket` (Node before 22): the class of the package `ws`. */
  WebSocket?: unknown;
  /** Publications that wait for a connection, for a reply or after `rate_limited`, at most. 100 by default, and 256 KiB of them. */
  maxOffline?: number;
  /** `session()` of the page before. */
  session?: Session;
  /** For tests. */
  clock?: Clock;
}

export interface SubscribeOptions {
  /** The last position that the application has: what follows it is delivered. */
  since?: Position;
  /**
   * Loads the application's state, and returns the position at which it was read (read the position first); `null` if
   * the topic has no history. Called before the first message, and again after a gap. If it fails, it is called again,
   * later; a `RealtimeError` of the server with `retry` false and a status of 4xx ends the subscription.
   */
  getState?: (context: { topic: string; reason: "first" | "gap" }) => Position | null | Promise<Position | null>;
}

/** `recovered` messages were missed and have come. */
export interface Ready {
  position?: Position;
  recovered: number;
}

export interface Subscription {
  readonly topic: string;
  /** Resolves when the server has subscribed this client. Rejects if it refuses, and after `unsubscribe` or `stop`. */
  readonly ready: Promise<Ready>;
  readonly state: SubscriptionStatus;
  onState(handler: (state: SubscriptionStatus) => unknown): () => void;
  /** Nothing of this subscription is delivered from now on. */
  unsubscribe(): void;
}

export interface PublishOptions {
  /** 1 to 128 characters. One is made if it is absent. */
  idempotencyKey?: string;
  /** `false`: this client does not receive its own message. */
  echo?: boolean;
}

export interface Published {
  /** The id of the message. */
  message: string;
  position?: Position;
  duplicate?: boolean;
}

export interface HistoryOptions {
  /** The page has what follows this position; with `reverse`, what is before it. */
  since?: Position;
  /** Messages at most: 100 by default. 0 returns the position alone. */
  limit?: number;
  /** `true`: from the newest message to the oldest. */
  reverse?: boolean;
}

/** `M`: the messages of the stream, as far as the types of topics know them. */
export interface HistoryPage<M = Message> {
  /** The stream's current position. */
  position: Position;
  /** Oldest first; newest first with `reverse`. */
  publications: M[];
  /** Whether the history has more in this direction. */
  more: boolean;
}
