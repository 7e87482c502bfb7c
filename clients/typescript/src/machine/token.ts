// The token, before each attempt and before it expires: one request at a time, with a deadline.
import { dial, halt, leave, retry, soon } from "./connection.js";
import { effect, emit, failure, fresh, now, open, random, s, sendOwn } from "./context.js";
import { ASKING } from "./phases.js";
import { keepAll } from "./recovery.js";
import { arm, disarm } from "./timers.js";
import type { Failure, TokenReason } from "./types.js";

const DEADLINE = 10_000;
/** Before the provider is asked again for the token of a live connection. */
const AGAIN = 10_000;

export function askToken(reason: TokenReason): void {
  s.requested = fresh();
  arm(tokenExpired, DEADLINE);
  effect("askToken", s.requested, reason);
}

/** What the provider returned, or why it failed. */
export function token(token: unknown, failed?: string): void {
  s.requested = 0;
  disarm(tokenExpired);
  if (token === null) return halt("signed_out", "the token is null: sign in, then call start()");
  // An empty token must never become an anonymous connection.
  if (typeof token !== "string" || !token) failed ??= "the token is no text; without a user, return null";
  if (s.stage === ASKING) {
    if (failed !== undefined) {
      retry("token_failed", failed);
    } else if (token === s.refused) {
      // Once; the next attempt uses it.
      s.refused = undefined;
      retry("token_refused", "the token is the one that was refused");
    } else {
      dial(token as string);
    }
  } else if (failed !== undefined) {
    emit("error", failure("token_failed", failed, true));
    arm(refresh, AGAIN);
  } else {
    s.lastToken = token as string;
    sendOwn("refresh", refreshReplied, { token });
  }
}

export function tokenExpired(): void {
  token(undefined, "no token in 10 s");
}

/** When the token of this connection expires: a new one is asked for at 80 % of that time, give or take 10 %. */
export function expires(ms = Infinity): void {
  s.expiresAt = now + ms;
  disarm(refresh);
  if (ms < Infinity) arm(refresh, ms * 0.8 * (0.9 + 0.2 * random));
}

/** Asks for a new token for the live connection, unless one is being asked for. */
export function refresh(): void {
  if (!open()) return;
  disarm(refresh);
  const pending = [...s.sent.values()].some(({ replied }) => replied === refreshReplied);
  if (!s.requested && !pending) askToken("expiring");
}

export function refreshReplied(_id: number, _sub: unknown, p: any, error?: Failure): void {
  if (!error) {
    s.ticket = p.resume ?? s.ticket;
    keepAll(p.streams);
    expires(p.token_expires_in_ms);
  } else if (error.code === "forbidden") {
    // Another user's token, or one without the right to connect: that is decided at a new connection.
    leave();
    soon();
  } else {
    // The connection has its old token still.
    if (error.code !== "unavailable") s.refused = s.lastToken;
    arm(refresh, AGAIN);
  }
}
