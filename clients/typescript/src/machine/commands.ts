// Commands of the application. `publish` waits while there is no connection and is sent again until its reply has
// come, always with the same id and key; every other command is sent once.
import { effect, emit, failure, open, s } from "./context.js";
import { STOPPED } from "./phases.js";
import { arm, disarm, pause } from "./timers.js";
import type { Command, Failure, Pending } from "./types.js";

/** From sending to the reply. A command that is not sent once, `publish`, has all the time that it needs until then. */
const DEADLINE = 10_000;
/** A publication that the server refuses for now is sent again this often. */
const TRIES = 10;

function publishes({ action }: Command): boolean {
  return action === "publish";
}

/** `bytes`: the length of the command as JSON. */
export function command(ref: unknown, body: Command, bytes: number): void {
  const alike = [...s.commands.values()].filter((other) => publishes(other.body) === publishes(body));
  const queued = alike.reduce((sum, other) => sum + other.bytes, bytes);
  let error;
  if (s.stage === STOPPED) error = failure("stopped", `the client is stopped (${s.shown.reason?.message ?? "never started"}); call start()`);
  else if (alike.length >= s.maxOffline || queued > s.maxOfflineBytes) error = failure("limit_exceeded", "too many commands wait for a connection or a reply (maxOffline)", true);
  if (error) return emit("settle", { ref, error });
  const id = s.nextId++;
  s.commands.set(id, { ref, body, sent: false, bytes, tries: 0 });
  if (!publishes(body)) arm(commandExpired, DEADLINE, id);
  flush();
}

/** Sends what waits. Of each topic one publication is in flight, so that their order holds through refusals too. */
export function flush(): void {
  if (!open()) return;
  const busy = new Set<unknown>();
  for (const [id, pending] of s.commands) {
    const { body } = pending;
    const waits = publishes(body) && (busy.has(body["topic"]) || s.timers.has(flush));
    if (publishes(body)) busy.add(body["topic"]);
    if (waits || pending.sent) continue;
    pending.sent = true;
    if (publishes(body)) arm(commandExpired, DEADLINE, id);
    effect("send", s.n, { ...body, id });
  }
}

export function commandExpired(id: number): void {
  const message = s.commands.get(id)?.sent ? "no reply in 10 s; it may have been carried out" : "no connection in 10 s; it was not sent";
  settle(id, failure("timeout", message, true));
  flush();
}

function settle(id: number, error?: Failure, result?: unknown): void {
  const pending = s.commands.get(id);
  if (!pending) return;
  s.commands.delete(id);
  disarm(id);
  emit("settle", { ref: pending.ref, error, result });
}

/** It is sent again later, with all the time that it needs. */
function hold(id: number, pending: Pending): void {
  pending.sent = false;
  disarm(id);
}

/** The reply to a command of the application; one to a command that is not known is late, and ignored. */
export function commandReplied(id: number, result: unknown, error?: Failure): void {
  const pending = s.commands.get(id);
  if (pending && error?.retry && publishes(pending.body) && ++pending.tries < TRIES) {
    hold(id, pending);
    pause(error, flush);
  } else {
    settle(id, error, result);
  }
  flush();
}

/** The connection is gone: publications are sent again on the next one, the result of the others is unknown. */
export function interrupt(): void {
  for (const [id, pending] of s.commands) {
    if (!pending.sent) continue;
    if (publishes(pending.body)) hold(id, pending);
    else settle(id, failure("disconnected", "the connection was lost; it may have been carried out", true));
  }
}

export function rejectAll(error: Failure): void {
  for (const id of s.commands.keys()) settle(id, error);
}
