// The token, before each attempt and before it expires: one request at a time, with a deadline.
import { attempt, dial, drop, halt, leave, wait } from "./connection.js";
import { backoff } from "./closing.js";
import { failure, report, sendOwn } from "./out.js";
import { arm, disarm } from "./timers.js";
import type { Step, TokenReason } from "./types.js";

const DEADLINE = 10_000;
/** Before the provider is asked again for the token of a live connection. */
const AGAIN = 10_000;

export function askToken(m: Step, reason: TokenReason): void {
  const request = m.state.nextRequest++;
  m.state.request = request;
  arm(m, "token", DEADLINE);
  m.effects.push({ type: "askToken", request, reason });
}

export function tokenArrived(m: Step, token: unknown): void {
  const s = m.state;
  answered(m);
  if (token === null) return halt(m, "signed_out", "the token provider returned null: no user is signed in; call start() after the sign-in");
  // An empty token must never become an anonymous connection.
  if (typeof token !== "string" || token === "") return tokenFailed(m, "the token provider returned no token; return a text, or null if no user is signed in");
  if (s.phase !== "token") {
    // A refresh of the connection that lives.
    s.token = token;
    sendOwn(m, { action: "refresh", token });
  } else if (token === s.refused && !s.waitedWithRefused) {
    s.waitedWithRefused = true;
    wait(m, backoff(m), { code: "token_refused", message: "the token provider returned the token that was refused" });
    s.tries += 1;
  } else {
    dial(m, token);
  }
}

/** The provider failed, or its time is over. */
export function tokenFailed(m: Step, message: string): void {
  answered(m);
  if (m.state.phase === "token") {
    wait(m, backoff(m), { code: "token_failed", message });
    m.state.tries += 1;
  } else {
    report(m, failure("token_failed", message, true));
    arm(m, "refresh", AGAIN);
  }
}

function answered(m: Step): void {
  m.state.request = 0;
  disarm(m, "token");
}

/** When the token of this connection expires: a new one is asked for at 80 % of that time, give or take 10 %. */
export function expires(m: Step, ms: unknown): void {
  const s = m.state;
  disarm(m, "refresh");
  s.expiresAt = s.refreshAt = Infinity;
  if (typeof ms !== "number") return;
  s.expiresAt = m.now + ms;
  s.refreshAt = m.now + ms * 0.8 * (0.9 + 0.2 * m.random);
  arm(m, "refresh", s.refreshAt - m.now);
}

/** Asks for a new token for the live connection, unless one is being asked for. */
export function refresh(m: Step): void {
  const s = m.state;
  if (s.phase !== "live" && s.phase !== "resuming") return;
  disarm(m, "refresh");
  s.refreshAt = Infinity;
  const pending = [...s.sent.values()].some(({ action }) => action === "refresh");
  if (!s.request && !pending) askToken(m, "expiring");
}

/** The server has refused the new token: the connection has its old one still. */
export function refreshRefused(m: Step, code: string): void {
  const s = m.state;
  if (code === "forbidden") {
    // Another user's token, or one without the right to connect: that is decided at a new connection.
    drop(m);
    leave(m);
    attempt(m, "connect");
  } else {
    s.refused = code === "unavailable" ? s.refused : s.token;
    arm(m, "refresh", AGAIN);
  }
}
