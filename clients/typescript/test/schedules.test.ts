// Random schedules. `SEEDS` sets how many, `SEED` runs one alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "./schedules/world.js";

const seeds = Number(process.env["SEEDS"] ?? 10_000);
const only = process.env["SEED"];

test(`${seeds} random schedules keep what the client promises`, () => {
  const totals = new Map<string, number>();
  let delivered = 0;
  let gaps = 0;
  for (let seed = only ? Number(only) : 1; seed <= (only ? Number(only) : seeds); seed++) {
    const world = new World(seed);
    try {
      world.run(40);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    delivered += world.oracle.delivered;
    gaps += world.oracle.gaps;
    for (const [what, count] of world.counts) totals.set(what, (totals.get(what) ?? 0) + count);
  }
  console.log(`${delivered} messages, ${gaps} gaps; ${[...totals].map(([what, count]) => `${what} ${count}`).join(", ")}`);
  // A search that never comes to these shows nothing.
  if (!only && seeds >= 1_000) for (const what of ["resumed true", "resumed false", "kill", "stop", "sleep", "waiting", "load"]) assert.ok((totals.get(what) ?? 0) > seeds / 20, what);
});
