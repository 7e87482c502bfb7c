// Commands of the application. `publish` waits while there is no connection and is sent again until its reply has
// come, always with the same id and key; every other command is sent once.
import { failure, open } from "./out.js";
import { PAUSE } from "./subscriptions.js";
import { arm, disarm } from "./timers.js";
import type { Command, Failure, Pending, Step } from "./types.js";

/** From sending to the reply. A command that is not sent once, `publish`, has all the time that it needs until then. */
const DEADLINE = 10_000;
/** A publication that the server refuses for now is sent again this often. */
const TRIES = 10;

function publishes(pending: { command: Command }): boolean {
  return pending.command.action === "publish";
}

export function command(m: Step, ref: number | string, body: Command): void {
  const s = m.state;
  const bytes = JSON.stringify(body).length;
  const alike = [...s.commands.values()].filter((other) => publishes(other) === publishes({ command: body }));
  const queued = alike.reduce((sum, other) => sum + other.bytes, bytes);
  if (s.phase === "stopped") {
    reject(m, ref, failure("stopped", "the client has stopped; call start()"));
  } else if (alike.length >= s.options.maxOffline || queued > s.options.maxOfflineBytes) {
    reject(m, ref, failure("limit_exceeded", `${alike.length} commands wait for their replies already (maxOffline, maxOfflineBytes)`, true));
  } else {
    const due = publishes({ command: body }) ? Infinity : m.now + DEADLINE;
    s.commands.set(s.nextId++, { ref, command: body, sent: 0, due, bytes, tries: 0 });
    flush(m);
    watchDeadlines(m);
  }
}

/** Sends what waits. Of each topic one publication is in flight, so that their order holds through refusals too. */
export function flush(m: Step): void {
  const s = m.state;
  if (!open(m)) return;
  const busy = new Set<unknown>();
  for (const [id, pending] of s.commands) {
    const { command: body } = pending;
    if (publishes(pending)) {
      const waits = busy.has(body["topic"]) || s.timers.has("publish");
      busy.add(body["topic"]);
      if (waits || pending.sent) continue;
      pending.due = m.now + DEADLINE;
    }
    if (pending.sent) continue;
    pending.sent = s.n;
    m.effects.push({ type: "send", n: s.n, command: { ...body, id } });
  }
  watchDeadlines(m);
}

function watchDeadlines(m: Step): void {
  const due = Math.min(Infinity, ...[...m.state.commands.values()].map((pending) => pending.due));
  const armed = m.state.timers.get("command");
  if (due === Infinity) disarm(m, "command");
  else if (!armed || armed.due > due) arm(m, "command", due - m.now);
}

export function deadlineExpired(m: Step): void {
  for (const [id, pending] of [...m.state.commands]) {
    if (pending.due > m.now) continue;
    m.state.commands.delete(id);
    const message = pending.sent ? "no reply within 10 s; it may have been carried out" : "no connection within 10 s; it was not sent";
    reject(m, pending.ref, failure("timeout", message, true));
  }
  flush(m);
  watchDeadlines(m);
}

function reject(m: Step, ref: number | string, error: Failure): void {
  m.effects.push({ type: "settle", ref, error });
}

/** The reply to a command of the application; one that is not known, or is late, is ignored. */
export function replied(m: Step, id: number, result: any): void {
  const pending = m.state.commands.get(id);
  if (!pending) return;
  m.state.commands.delete(id);
  m.effects.push({ type: "settle", ref: pending.ref, result });
  flush(m);
}

export function refused(m: Step, id: number, error: Failure): void {
  const pending = m.state.commands.get(id);
  if (!pending) return;
  if (publishes(pending) && error.retry && ++pending.tries < TRIES) {
    pending.sent = 0;
    pending.due = Infinity;
    arm(m, "publish", error.after_ms ?? PAUSE);
  } else {
    m.state.commands.delete(id);
    reject(m, pending.ref, error);
  }
  flush(m);
}

/** The connection is gone: publications are sent again on the next one, the result of the others is unknown. */
export function interrupt(m: Step): void {
  for (const [id, pending] of [...m.state.commands]) {
    if (!pending.sent) continue;
    if (publishes(pending)) keepForNext(pending);
    else {
      m.state.commands.delete(id);
      reject(m, pending.ref, failure("disconnected", "the connection was lost before the reply; it may have been carried out", true));
    }
  }
  watchDeadlines(m);
}

function keepForNext(pending: Pending): void {
  pending.sent = 0;
  pending.due = Infinity;
}

export function rejectAll(m: Step, error: Failure): void {
  for (const { ref } of m.state.commands.values()) reject(m, ref, error);
  m.state.commands.clear();
}
