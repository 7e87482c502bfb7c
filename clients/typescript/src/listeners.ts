// Patterns of topics. A message without a topic has the name of its stream behind `@`: `@user`, `@role:admin`, `@all`;
// or `@` alone, if it is of no stream.
import type { Message } from "./machine/types.js";

export function addressOf({ topic, stream = "" }: Message): string {
  return topic ?? `@${stream}`;
}

/** Whether a pattern matches an address, part by part: `*` is one part, `**` at the end one or more. */
export function matches(pattern: string, address: string): boolean {
  if (pattern === address) return true;
  const parts = pattern.split(":");
  const own = address.split(":");
  const open = parts.at(-1) === "**" && parts.pop();
  return (open ? own.length > parts.length : own.length === parts.length) && parts.every((part, i) => part === "*" || part === own[i]);
}
