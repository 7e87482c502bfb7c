// Rates from counters, the shape of a chart, and when a client reconnects.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ceiling, runs } from "../src/lib/chart.ts";
import { sample } from "../src/state/samples.ts";
import { reconnectsAfter } from "../src/state/try.ts";

const stats = (seconds, deliveries, started = 0) => ({
  at: new Date(seconds * 1000).toISOString(), started_at: new Date(started * 1000).toISOString(), connections: 3, queued_bytes: 7, cpu_seconds: seconds / 4,
  deliveries_total: deliveries, publications_total: deliveries / 2, dropped_total: 0, gaps_total: 0,
});

test("a rate is of the server's clock, and a restart is no rate", () => {
  const { deliveries, publications, cpu, queued } = sample(stats(10, 100), stats(12, 300));
  assert.deepEqual({ deliveries, publications, cpu, queued }, { deliveries: 100, publications: 50, cpu: 0.25, queued: 7 });
  assert.equal(sample(stats(10, 100), stats(12, 5, 11)), undefined);
  assert.equal(sample(stats(10, 100), stats(10, 100)), undefined);
});

test("the axis ends at a round number above every value", () => {
  assert.deepEqual([[], [0.3], [1], [3], [7], [180], [2000], [2001]].map((values) => ceiling(values)), [1, 1, 1, 5, 10, 200, 2000, 5000]);
});

test("a time without figures is a hole in the line", () => {
  const at = (n) => ({ at: n * 1000, value: 1 });
  assert.deepEqual(runs([at(0), at(1), at(30), at(31), at(32)]).map((run) => run.length), [2, 3]);
  assert.deepEqual(runs([]), []);
});

test("a page that can get a token reconnects after these close codes", () => {
  const codes = [1000, 1001, 1006, 1008, 4000, 4199, 4200, 4403, 4503, 4601, 4603, 4610];
  assert.deepEqual(codes.filter(reconnectsAfter), [1001, 1006, 4200, 4503, 4601, 4610]);
});
