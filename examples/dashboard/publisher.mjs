// Measures this machine and publishes each sample over HTTP. Start it in the folder that has `secrets`: node publisher.mjs
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import os from "node:os";
import { setInterval } from "node:timers/promises";

const api = process.env.REALTIME_API ?? "http://127.0.0.1:8080";
const key = readFileSync("secrets/api", "utf8").trim();
const every_ms = Number(process.env.EVERY_MS ?? 1_000);
const topic = `metrics:${process.env.HOST_NAME ?? "local"}`;

/** Milliseconds that all cores have worked and rested since the machine was started. */
function cpuTimes() {
  const all = os.cpus().map(({ times }) => times);
  const idle = all.reduce((sum, times) => sum + times.idle, 0);
  return { idle, total: all.reduce((sum, times) => sum + Object.values(times).reduce((a, b) => a + b), 0) };
}

async function publish(payload) {
  const response = await fetch(`${api}/api/v1/publish`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ to: { topic }, type: "sample", payload, idempotency_key: randomUUID() }),
    signal: AbortSignal.timeout(2_000),
  });
  if (!response.ok) throw new Error((await response.json()).detail);
}

console.log(`publishing ${topic} every ${every_ms} ms`);
let before = cpuTimes();
for await (const _ of setInterval(every_ms)) {
  const now = cpuTimes();
  const busy = 1 - (now.idle - before.idle) / Math.max(1, now.total - before.total);
  before = now;
  const cpu = 100 * Math.min(1, Math.max(0, busy));
  const memory = 100 * (1 - os.freemem() / os.totalmem());
  // A sample that can't be published is old at once: it is dropped, and the chart has a hole.
  await publish({ cpu, memory, load: os.loadavg()[0], every_ms }).catch((error) => console.error(`not published: ${error.message}`));
}
