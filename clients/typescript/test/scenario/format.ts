// The scenario files of tests/scenarios, as data; README.md there describes the format.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export type Json = any;

export interface Scenario {
  file: string;
  number: string;
  title: string;
  layers?: ("machine" | "sockets")[];
  options?: { client?: string; max_offline?: number };
  token?: string;
  random?: number;
  steps: Step[];
}

/** Exactly one verb each. */
export type Step = Record<string, Json>;

/** What a client does that others can see. */
export interface Item { kind: Kind; at: number; value: Json }

export type Kind = "token" | "dial" | "drop" | "send" | "state" | "message" | "gap" | "subscription" | "settle" | "error" | "load";

/** Items of one lane keep their order. In a strict lane none may be left over. */
export const LANES: Record<Kind, { lane: string; strict: boolean }> = {
  token: { lane: "token", strict: true },
  dial: { lane: "dial", strict: true },
  send: { lane: "send", strict: true },
  message: { lane: "delivery", strict: true },
  gap: { lane: "delivery", strict: true },
  settle: { lane: "settle", strict: true },
  load: { lane: "load", strict: true },
  drop: { lane: "drop", strict: false },
  state: { lane: "state", strict: false },
  subscription: { lane: "subscription", strict: false },
  error: { lane: "error", strict: false },
};

/** The repository's tests/scenarios, from build/test/scenario. */
export const FOLDER = process.env["SCENARIOS"] ?? fileURLToPath(new URL("../../../../../tests/scenarios/", import.meta.url));

export function scenarios(): Scenario[] {
  const files = readdirSync(FOLDER).filter((name) => /^s\d\d.*\.json$/.test(name)).sort();
  return files.map((file) => ({ file, ...JSON.parse(readFileSync(FOLDER + file, "utf8")) }));
}

/** Whether `value` has all that `pattern` names. Returns the first difference, or nothing. */
export function difference(pattern: Json, value: Json, at = ""): string | undefined {
  const differs = () => `${at || "it"} is ${JSON.stringify(value)}, not ${JSON.stringify(pattern)}`;
  if (pattern === null || typeof pattern !== "object") return Object.is(pattern, value) ? undefined : differs();
  if (Array.isArray(pattern)) {
    if (!Array.isArray(value) || value.length !== pattern.length) return differs();
    return first(pattern.map((part, i) => difference(part, value[i], `${at}/${i}`)));
  }
  if ("$any" in pattern) return value === undefined ? differs() : undefined;
  if ("$absent" in pattern) return value === undefined ? undefined : differs();
  if ("$min" in pattern || "$max" in pattern) {
    const inside = typeof value === "number" && value >= (pattern.$min ?? -Infinity) && value <= (pattern.$max ?? Infinity);
    return inside ? undefined : differs();
  }
  if (value === null || typeof value !== "object") return differs();
  return first(Object.entries(pattern).map(([name, part]) => difference(part, Object.hasOwn(value, name) ? value[name] : undefined, `${at}/${name}`)));
}

function first(differences: (string | undefined)[]): string | undefined {
  return differences.find((text) => text !== undefined);
}
