// Who is signed in. The backend keeps the session in a cookie that scripts can't read.
import { connect, type Realtime } from "@realtime/client";
import type { Topics } from "./topics";

/** A client that knows the messages of each topic. */
export type Chat = Realtime<Topics>;

export interface Session { user: string; rt: Chat }

interface Answer { user: string | null; realtime: string; message?: string }

/** The session of this browser, or `null`. */
export async function currentSession(): Promise<Session | null> {
  return started(await (await fetch("/session")).json());
}

/** Rejects with what is wrong with the name. */
export async function signIn(name: string): Promise<Session | null> {
  const response = await fetch("/session", { method: "POST", body: JSON.stringify({ name }) });
  const answer: Answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  return started(answer);
}

/** The client lives as long as the page. */
function started({ user, realtime }: Answer): Session | null {
  return user === null ? null : { user, rt: connect<Topics>({ url: realtime, token }) };
}

/** Asked before every attempt to connect. `null`: no user is signed in, so the client stops. */
async function token(): Promise<string | null> {
  const response = await fetch("/token");
  if (response.status === 401) return null;
  if (!response.ok) throw new Error(`/token: ${response.status}`);
  return (await response.json()).token;
}
