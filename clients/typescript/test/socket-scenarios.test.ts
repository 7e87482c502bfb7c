// Every scenario file, on the whole client over real sockets.
import { test } from "node:test";
import { scenarios } from "./scenario/format.js";
import { run } from "./scenario/run.js";
import { SocketSubject } from "./scenario/socket-subject.js";

for (const scenario of scenarios()) {
  if (scenario.layers && !scenario.layers.includes("sockets")) continue;
  test(`${scenario.number}: ${scenario.title}`, () => run(scenario, (clock) => SocketSubject.create(scenario, clock)));
}
