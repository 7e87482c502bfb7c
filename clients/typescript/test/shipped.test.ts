// The file that is published, minified and with shortened names, does what its sources do: every scenario over sockets.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type * as Sources from "../src/index.js";
import { scenarios } from "./scenario/format.js";
import { run } from "./scenario/run.js";
import { SocketSubject } from "./scenario/socket-subject.js";

const FILE = new URL("../../dist/index.js", import.meta.url);
const { Realtime, RealtimeError, connect } = await import(FILE.href) as typeof Sources;

for (const scenario of scenarios()) {
  if (scenario.layers && !scenario.layers.includes("sockets")) continue;
  test(`${scenario.number}: ${scenario.title}`, () => run(scenario, (clock) => SocketSubject.create(scenario, clock, Realtime)));
}

test("it exports what the sources do, and its source map has them", () => {
  assert.deepEqual([typeof connect, RealtimeError.name.length > 0], ["function", true]);
  const { sources, sourcesContent } = JSON.parse(readFileSync(new URL("index.js.map", FILE), "utf8"));
  const at = sources.findIndex((path: string) => path.endsWith("src/machine/step.ts"));
  assert.ok(sourcesContent[at].includes("The machine: one event in, effects out."));
});
