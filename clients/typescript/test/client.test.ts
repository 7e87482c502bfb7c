// The API: what an application sees beside the scenarios.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Realtime, RealtimeError } from "../src/index.js";
import { addressOf, matches } from "../src/listeners.js";
import { connected, FakeSocket, turns } from "./fake-socket.js";

test("a pattern matches part by part", () => {
  const names = ["order:*", "order:1", "order:**", "**", "*:1", "@user", "@role:*", "@", "order:1:items"];
  const of = (message: object): string[] => names.filter((name) => matches(name, addressOf({ type: "t", payload: 0, timestamp: "", id: "1", ...message })));
  assert.deepEqual(of({ topic: "order:1" }), ["order:*", "order:1", "order:**", "**", "*:1"]);
  assert.deepEqual(of({ topic: "order:1:items" }), ["order:**", "**", "order:1:items"]);
  assert.deepEqual(of({ topic: "order" }), ["**"]);
  assert.deepEqual(of({ stream: "user" }), ["**", "@user"]);
  assert.deepEqual(of({ stream: "role:admin" }), ["**", "@role:*"]);
  assert.deepEqual(of({}), ["**", "@"]);
});

test("S13: a handler that unsubscribes keeps the message from the next handler", async () => {
  const { rt, socket } = await connected();
  const sub = rt.subscribe("order:1");
  socket.ack({ position: { epoch: "a", offset: 1 } });
  assert.deepEqual(await sub.ready, { phase: "live", recovered: 0, position: { epoch: "a", offset: 1 } });
  const seen: string[] = [];
  rt.on("order:*", () => { seen.push("first"); sub.unsubscribe(); });
  rt.on("order:1", () => seen.push("second"));
  socket.message("order:1", 2, 2);
  assert.deepEqual(seen, ["first"]);
  rt.stop();
});

test("S16: a handler that rejects is reported, and nothing else ends", async () => {
  const { rt, socket } = await connected();
  const [errors, seen]: [string[], unknown[]] = [[], []];
  rt.onError((error) => errors.push(error.message));
  rt.on("**", async () => { throw new Error("async"); });
  rt.on("**", "news", (message) => seen.push(message.payload));
  rt.onState(() => { throw new Error("state"); });
  socket.message("given", 1);
  await turns();
  socket.message("given", 2);
  await turns();
  rt.stop();
  assert.deepEqual([errors, seen], [["async", "async", "state"], [1, 2]]);
});

test("S3: ready rejects after stop, and is another promise after the next start", async () => {
  const { rt, socket, clock } = await connected();
  const sub = rt.subscribe("order:1");
  const first = sub.ready;
  rt.stop();
  await assert.rejects(first, (error: RealtimeError) => error.code === "stopped");
  rt.start();
  await clock.advanceTo(100, turns);
  const again = FakeSocket.all.find((one) => one !== socket) as FakeSocket;
  again.frame("welcome", { user: "alice", streams: {} });
  again.ack({});
  assert.equal((await sub.ready).recovered, 0);
  sub.unsubscribe();
  await assert.rejects(sub.ready, (error: RealtimeError) => error.code === "unsubscribed");
  rt.stop();
});

test("a subscription that was live waits after stop, and is live again after the next start", async () => {
  const { rt, socket, clock } = await connected();
  const sub = rt.subscribe("order:1");
  socket.ack({});
  const phase = (): string => sub.state.phase;
  assert.equal(phase(), "live");
  rt.stop();
  assert.equal(phase(), "pending");
  rt.start();
  await clock.advanceTo(100, turns);
  const again = FakeSocket.all.at(-1) as FakeSocket;
  again.frame("welcome", { user: "alice", streams: {} });
  again.ack({});
  assert.equal((await sub.ready).recovered, 0);
  assert.equal(phase(), "live");
  rt.stop();
});

test("a state that is loaded while the client stops is loaded again after the next start", async () => {
  const { rt, socket, clock } = await connected();
  const loads: string[] = [];
  rt.subscribe("order:1", { getState: ({ reason }) => { loads.push(reason); return new Promise(() => {}); } });
  rt.stop();
  rt.start();
  await clock.advanceTo(100, turns);
  assert.deepEqual([loads, socket.sent], [["first", "first"], []]);
  rt.stop();
});

test("a refusal has the server's words", async () => {
  const { rt, socket } = await connected();
  const call = rt.call("cart.add", { item: 3 });
  const { id } = socket.sent.at(-1);
  socket.frame("error", { id, code: "payload_invalid", status: 422, retry: false, message: "wrong", errors: [{ path: "/item", message: "is unknown" }] });
  await assert.rejects(call, (error: RealtimeError) => error.code === "payload_invalid" && error.status === 422 && error.errors[0]?.path === "/item");
  rt.stop();
});

test("two subscribers of a topic are one on the wire, and the last one out ends it after a second", async () => {
  const { rt, socket, clock } = await connected();
  const [a, b] = [rt.subscribe("order:1"), rt.subscribe("order:1")];
  assert.deepEqual(socket.sent.map(({ action }) => action), ["subscribe"]);
  socket.ack({});
  await Promise.all([a.ready, b.ready]);
  a.unsubscribe();
  a.unsubscribe();
  await clock.advanceTo(5_000, turns);
  assert.deepEqual(socket.sent, []);
  b.unsubscribe();
  await clock.advanceTo(6_000, turns);
  assert.deepEqual(socket.sent.map(({ action }) => action), ["unsubscribe"]);
  rt.stop();
});

test("a socket whose close never comes is forgotten after two seconds", async () => {
  const { rt, socket, clock } = await connected();
  socket.closes = false;
  rt.stop();
  await clock.advanceTo(1_999, turns);
  assert.ok(!socket.terminated);
  await clock.advanceTo(2_000, turns);
  assert.ok(socket.terminated);
  assert.deepEqual([socket.onclose, socket.onmessage, clock.pending], [null, null, 0]);
});

test("the next page continues with the session of this one", async () => {
  const { rt, socket } = await connected({ client: "tab-7" });
  rt.subscribe("order:1");
  socket.ack({ position: { epoch: "a", offset: 17 } });
  const session = JSON.parse(JSON.stringify(rt.session()));
  rt.stop();
  const next = new Realtime({ url: "ws://localhost/ws", token: "jwt", WebSocket: FakeSocket, session });
  next.subscribe("order:1");
  next.start();
  await turns();
  const dialed = FakeSocket.all.at(-1) as FakeSocket;
  assert.deepEqual(Object.fromEntries(new URL(dialed.url).searchParams), { client: "tab-7", ping: "text", resume: "ticket" });
  dialed.frame("welcome", { user: "alice", streams: {}, resumed: true });
  assert.deepEqual(dialed.sent[0].since, { "topic:order:1": { epoch: "a", offset: 17 } });
  next.stop();
});

test("without a WebSocket, and with a wrong address, the error says what to do", () => {
  assert.throws(() => new Realtime({ url: "ws://localhost/ws", token: "jwt", WebSocket: null }), /option `WebSocket`/);
  assert.throws(() => new Realtime({ url: "not an address", token: "jwt", WebSocket: FakeSocket }), TypeError);
});

test("a page without TLS, where crypto.randomUUID is missing, has a random name and random keys", async () => {
  const { randomUUID } = crypto;
  Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
  try {
    const { rt, socket } = await connected();
    void rt.publish("chat:1", "said", "hi");
    assert.match(new URL(socket.url).searchParams.get("client") ?? "", /^\d+(-\d+){3}$/);
    assert.match(socket.sent[0].idempotency_key, /^\d+(-\d+){3}$/);
    rt.stop();
  } finally {
    Object.defineProperty(crypto, "randomUUID", { value: randomUUID, configurable: true });
  }
});

test("a first subscriber with getState loads, though the subscription before it lingers", async () => {
  const { rt, socket } = await connected();
  const loads: string[] = [];
  const getState = ({ reason }: { reason: string }) => { loads.push(reason); return { epoch: "e", offset: loads.length }; };
  const first = rt.subscribe("order:1", { getState });
  await turns();
  socket.ack({ position: { epoch: "e", offset: 1 } });
  await first.ready;
  first.unsubscribe();
  const second = rt.subscribe("order:1", { getState });
  await turns();
  assert.deepEqual(loads, ["first", "first"]);
  assert.deepEqual(socket.sent.map(({ action, since }) => [action, since?.offset]), [["unsubscribe", undefined], ["subscribe", 2]]);
  socket.ack({ position: { epoch: "e", offset: 2 } });
  assert.equal((await second.ready).position?.offset, 2);
  rt.stop();
});

test("a command of a stopped client rejects with the reason why it is stopped", async () => {
  const { rt, socket } = await connected();
  socket.onclose?.({ code: 4403, reason: "Spam in the lobby" });
  assert.equal(rt.state.reason?.code, 4403);
  await assert.rejects(rt.publish("chat:1", "said", {}), { code: "stopped", message: "the client is stopped (Spam in the lobby); call start()" });
  const never = new Realtime({ url: "ws://localhost/ws", token: "jwt", WebSocket: FakeSocket });
  await assert.rejects(never.call("a"), { code: "stopped", message: "the client is stopped (never started); call start()" });
});

test("retryAt is a whole number of milliseconds", async () => {
  const { rt, socket, clock } = await connected();
  clock.random = () => 1 / 3;
  socket.onclose?.({ code: 1006, reason: "" });
  assert.equal(rt.state.phase, "waiting");
  assert.ok(Number.isInteger(rt.state.retryAt), `${rt.state.retryAt}`);
  rt.stop();
});
