// Handlers by pattern. A message without a topic has the name of its stream behind `@`: `@user`, `@role:admin`, `@all`;
// or `@` alone, if it is of no stream.
import type { Message } from "./machine/types.js";

export type Handler = (message: any) => unknown;

interface Listener { pattern: string; parts: string[] | undefined; type: string | undefined; handler: Handler }

export function addressOf(message: Message): string {
  return message.topic ?? `@${message.stream ?? ""}`;
}

export class Listeners {
  #all: Listener[] = [];

  /** Returns its own remover. */
  add(pattern: string, type: string | undefined, handler: Handler): () => void {
    const listener = { pattern, parts: pattern.includes("*") ? pattern.split(":") : undefined, type, handler };
    this.#all = [...this.#all, listener];
    return () => { this.#all = this.#all.filter((other) => other !== listener); };
  }

  /** The handlers of a message, in the order in which they were added. */
  of(message: Message): Handler[] {
    const address = addressOf(message);
    let parts: string[] | undefined;
    return this.#all
      .filter((it) => (it.type === undefined || it.type === message.type)
        && (it.parts ? matches(it.parts, (parts ??= address.split(":"))) : it.pattern === address))
      .map((it) => it.handler);
  }
}

function matches(pattern: string[], parts: string[]): boolean {
  const open = pattern.at(-1) === "**";
  if (open ? parts.length < pattern.length : parts.length !== pattern.length) return false;
  return pattern.every((part, i) => part === "*" || (open && i === pattern.length - 1) || part === parts[i]);
}
