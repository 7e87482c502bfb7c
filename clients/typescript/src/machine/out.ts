// Small effects that every part needs.
import type { Command, Emission, Failure, Step } from "./types.js";

export function failure(code: string, message: string, retry = false): Failure {
  return { code, message, status: 0, retry };
}

export function emit(m: Step, emission: Emission): void {
  m.effects.push({ type: "emit", emission });
}

export function report(m: Step, error: Failure): void {
  emit(m, { kind: "error", error });
}

/** Whether the server reads commands. */
export function open(m: Step): boolean {
  return m.state.phase === "resuming" || m.state.phase === "live";
}

/** Sends a command of the machine itself; returns its id. Ids rise over the client's life, never per connection. */
export function sendOwn(m: Step, command: Command, topic?: string): number {
  const id = m.state.nextId++;
  m.state.sent.set(id, topic === undefined ? { action: command.action } : { action: command.action, topic });
  m.effects.push({ type: "send", n: m.state.n, command: { ...command, id } });
  return id;
}
