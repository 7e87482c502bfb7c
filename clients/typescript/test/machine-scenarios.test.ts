// Every scenario file, on the machine alone.
import { test } from "node:test";
import { scenarios } from "./scenario/format.js";
import { MachineSubject } from "./scenario/machine-subject.js";
import { run } from "./scenario/run.js";

for (const scenario of scenarios()) {
  if (scenario.layers && !scenario.layers.includes("machine")) continue;
  test(`${scenario.number}: ${scenario.title}`, () => run(scenario, (clock) => new MachineSubject(scenario, clock)));
}
