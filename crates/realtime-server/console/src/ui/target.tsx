// Whom a message is for: a kind, and a name except for everyone.
import type { Route } from "../api/types";
import { SelectField, TextField } from "./field";

export const KINDS: [string, string][] = [
  ["all", "everyone"],
  ["user", "a user"],
  ["role", "a role"],
  ["connection", "a connection"],
  ["topic", "a topic"],
];
const NAMES: Record<string, [label: string, example: string]> = {
  user: ["User", "alice"],
  role: ["Role", "admin"],
  connection: ["Connection", "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e"],
  topic: ["Topic", "order:123"],
};

export function route(kind: string, name: string): Route {
  return kind === "all" ? "all" : ({ [kind]: name } as Exclude<Route, "all">);
}

interface Props {
  id: string;
  label: string;
  kind: string;
  name: string;
  errors?: string[];
  change(kind: string, name: string): void;
  /** The name that is likely meant when a kind is chosen. */
  likely?: ((kind: string) => string) | undefined;
}

export function TargetField({ id, label, kind, name, errors = [], change, likely }: Props) {
  const named = NAMES[kind];
  return (
    <div class="target">
      <SelectField id={id} label={label} value={kind} change={(next) => change(next, likely ? likely(next) : "")} options={KINDS} errors={named ? [] : errors} />
      {named && <TextField id={`${id}-name`} label={named[0]} placeholder={named[1]} value={name} change={(next) => change(kind, next)} required errors={errors} />}
    </div>
  );
}
