// The scenarios that need many rounds: S10, S21, S32, S36 and S38 of tests/scenarios at their full size.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { initial, step, type Event } from "../src/machine/step.js";
import type { Effect, State } from "../src/machine/types.js";
import { connected, FakeSocket, turns } from "./fake-socket.js";
import { Device } from "./scenario/device.js";
import { Random } from "./schedules/random.js";

/** A machine that is connected, with what a test needs to drive it on. */
class Machine {
  readonly state: State = initial({ client: "a", nextId: 1, maxOffline: 100, maxOfflineBytes: 262_144 });
  readonly sent: any[] = [];
  now = 0;

  constructor(readonly random: () => number, welcome: object = {}) {
    this.event("start");
    this.event("token", this.state.requested, "jwt");
    this.frame("welcome", { streams: {}, ...welcome });
  }

  event(...event: Event): Effect[] {
    const effects = step(this.state, event, this.now, this.random());
    for (const effect of effects) if (effect[0] === "send") this.sent.push(effect[2]);
    return effects;
  }

  frame(type: string, payload: object): Effect[] {
    return this.event("frame", this.state.n, JSON.stringify({ type, payload }));
  }

  /** The times of the timers that are armed by these effects. */
  static waits(effects: Effect[]): number[] {
    return effects.flatMap((effect) => (effect[0] === "arm" ? [effect[3]] : []));
  }

  advance(ms: number): void {
    this.now += ms;
    for (const [timer, { key, due }] of [...this.state.timers]) if (due <= this.now) this.event("timer", timer, key);
  }
}

/** Pearson's statistic of ten equal parts of [from, to]; above 27.9 with a probability of 0.1 % if the values are uniform. */
function chiSquare(values: number[], from: number, to: number): number {
  const parts = Array.from({ length: 10 }, () => 0);
  for (const value of values) parts[Math.min(9, Math.floor(((value - from) / (to - from)) * 10))]! += 1;
  const expected = values.length / 10;
  return parts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

const reconnect = { min_ms: 100, max_ms: 30_000, spread_ms: 4_900 };

/** The first wait of a client with this seed, after the end of its first connection. */
function firstWait(seed: number, end: (machine: Machine) => Effect[]): number {
  const random = new Random(seed);
  const machine = new Machine(() => random.next(), { reconnect });
  const [wait] = Machine.waits(end(machine));
  return wait as number;
}

const SEEDS = Array.from({ length: 1_000 }, (_, i) => i + 1);

test("S10: what a closing frame asks for is uniform over 1,000 clients", () => {
  const waits = SEEDS.map((seed) => firstWait(seed, (machine) => {
    machine.frame("closing", { code: 4503, reason: "restart", reconnect: true, after_ms: 800, spread_ms: 20_000 });
    return machine.event("closed", machine.state.n, 4503, "restart");
  }));
  assert.ok(waits.every((wait) => wait >= 800 && wait <= 20_800), `${Math.min(...waits)} to ${Math.max(...waits)}`);
  assert.ok(chiSquare(waits, 800, 20_800) < 27.9, `chi-square ${chiSquare(waits, 800, 20_800)}`);
});

test("S10: without a closing frame the first wait is uniform over 1,000 clients", () => {
  const waits = SEEDS.map((seed) => firstWait(seed, (machine) => machine.event("closed", machine.state.n, 1006, "")));
  assert.ok(waits.every((wait) => wait >= 100 && wait <= 5_000), `${Math.min(...waits)} to ${Math.max(...waits)}`);
  assert.ok(chiSquare(waits, 100, 5_000) < 27.9, `chi-square ${chiSquare(waits, 100, 5_000)}`);
});

test("S21: a hundred handshakes without an answer leave no socket open", async () => {
  const { rt, clock } = await connected();
  (FakeSocket.all[0] as FakeSocket).onclose?.({ code: 1006, reason: "" });
  const sockets = (): FakeSocket[] => FakeSocket.all.slice(1);
  while (sockets().length < 100) await clock.advanceTo(clock.nextDue, turns);
  rt.stop();
  await clock.advanceTo(clock.now() + 2_000, turns);
  assert.ok(sockets().every(({ readyState }) => readyState === 2), "each was closed");
  assert.equal(clock.pending, 0);
});

test("S32: ten thousand subscriptions and commands leave the tables of the client as they were", () => {
  const machine = new Machine(() => 0.5);
  const { state } = machine;
  const sizes = (): number[] => [state.table.size, state.timers.size, state.sent.size, state.commands.size];
  const before = sizes();
  for (let i = 0; i < 10_000; i++) {
    const [topic, handle] = [`topic:${i}`, { i }];
    machine.event("subscribe", topic, handle);
    machine.event("unsubscribe", topic, handle);
    machine.event("command", i, { action: "publish", topic, type: "note", payload: i }, 50);
    const reply = (): void => { for (const { id, action } of machine.sent.splice(0)) if (id !== undefined && action !== "pong") machine.frame("ack", { id, position: { epoch: "a", offset: 1 } }); };
    reply();
    machine.advance(1_000);
    reply();
  }
  assert.deepEqual(sizes(), before);
});

test("S32: a thousand starts and stops leave no listener, no timer and no memory", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const device = new Device();
  const uninstall = device.install();
  try {
    const { rt, socket, clock } = await connected();
    const round = async (count: number): Promise<number> => {
      for (let i = 0; i < count; i++) {
        rt.start();
        rt.subscribe(`topic:${i}`).unsubscribe();
        if (i % 10 === 0) await turns();
        rt.stop();
      }
      await clock.advanceTo(clock.now() + 10_000, turns);
      FakeSocket.all = [socket];
      collect();
      return process.memoryUsage().heapUsed;
    };
    rt.stop();
    await round(1_000);
    const before = await round(1_000);
    const grown = await round(1_000) - before;
    assert.ok(grown < 1_048_576, `the heap grew by ${grown} bytes`);
    assert.deepEqual([clock.pending, device.listeners.length], [0, 0]);
    assert.deepEqual(Object.values(rt as object), [], "nothing but private fields");
  } finally {
    uninstall();
  }
});

test("S36: 3,000 messages that are cut twice come once each, in order", () => {
  const machine = new Machine(() => 0.5);
  const epoch = "a";
  machine.event("subscribe", "order:1", {}, { epoch, offset: 0 });
  const received: number[] = [];
  const asked: number[] = [];
  for (const [from, to] of [[1, 1_000], [1_001, 1_700], [1_701, 3_000]] as const) {
    const command = machine.sent.pop();
    asked.push((command.since["topic:order:1"] ?? command.since).offset);
    for (let offset = from; offset <= to; offset++) {
      const text = JSON.stringify({ type: "note", payload: offset, id: `m${offset}`, timestamp: "", topic: "order:1", stream: "topic:order:1", offset });
      for (const [kind, value] of machine.event("frame", machine.state.n, text)) if (kind === "message") received.push((value as { offset: number }).offset);
    }
    if (to === 3_000) break;
    machine.event("closed", machine.state.n, 1006, "");
    machine.advance(60_000);
    machine.event("token", machine.state.requested, "jwt");
    machine.frame("welcome", { streams: {} });
  }
  assert.deepEqual(asked, [0, 1_000, 1_700]);
  assert.deepEqual(received, Array.from({ length: 3_000 }, (_, i) => i + 1));
});

test("S38: 200 subscriptions are all live after a reconnect under a limit of 50 commands in a second", () => {
  const machine = new Machine(() => 0.5);
  const topics = Array.from({ length: 200 }, (_, i) => `topic:${i}`);
  for (const topic of topics) machine.event("subscribe", topic, {});
  machine.sent.length = 0;
  machine.event("closed", machine.state.n, 1006, "");
  machine.advance(60_000);
  machine.event("token", machine.state.requested, "jwt");
  machine.frame("welcome", { streams: {}, limits: { burst: 50 } });
  const live: string[] = [];
  let refusals = 0;
  for (let second = 0; second < 60 && live.length < 200; second++) {
    let left = 50;
    for (let next; (next = machine.sent.shift()); ) {
      if (next.action !== "subscribe") continue;
      if (left-- > 0) {
        live.push(next.topic);
        machine.frame("ack", { id: next.id });
      } else {
        refusals += 1;
        assert.ok(refusals < 200, "refused commands are not sent again before their time");
        machine.frame("error", { id: next.id, code: "rate_limited", status: 429, retry: true, message: "too many commands", after_ms: 1_000 });
      }
    }
    machine.advance(1_000);
  }
  assert.deepEqual(live, topics, "in the order in which they were wanted");
  assert.ok(refusals > 0, "the limit was reached");
  assert.equal(machine.state.shown.phase, "connected");
});

test("a subscription that ends while its state is loaded after a gap leaves nothing, and no position while it is loaded", () => {
  const machine = new Machine(() => 0.5);
  const [topic, handle, epoch] = ["order:1", {}, "a"];
  const stream = () => machine.state.table.get("topic:order:1");
  const reply = (fields: object = {}): void => { for (const { id } of machine.sent.splice(0)) if (id !== undefined) machine.frame("ack", { id, ...fields }); };
  machine.event("subscribe", topic, handle, undefined, true);
  const one = stream();
  assert.ok(one);
  machine.event("loaded", one, one.loading, { epoch, offset: 3 });
  reply({ position: { epoch, offset: 3 } });
  machine.frame("gap", { stream: "topic:order:1", from: 4, to: 9, position: { epoch, offset: 9 }, reason: "retention" });
  assert.equal(one.at, undefined);
  machine.event("unsubscribe", topic, handle);
  reply();
  assert.equal(stream(), undefined);
  assert.deepEqual(machine.event("loaded", one, one.loading, { epoch, offset: 12 }), []);
});
