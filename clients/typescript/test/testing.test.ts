// The entry point `testing`: an application's own test, with a server in memory and a network that it breaks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, type ConnectionState, type Realtime, type RealtimeError } from "../src/index.js";
import { TestServer } from "../src/testing/index.js";

function follow(server: TestServer, token: () => string | null = () => server.token("alice")): { rt: Realtime; seen: unknown[]; gaps: string[] } {
  const rt = connect({ url: "ws://test/ws", token, WebSocket: server.WebSocket });
  const [seen, gaps]: [unknown[], string[]] = [[], []];
  rt.on("**", (message) => seen.push(message.payload));
  rt.onGap((gap) => gaps.push(`${gap.stream} ${gap.reason}`));
  return { rt, seen, gaps };
}

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 5_000;
  while (!condition()) {
    assert.ok(Date.now() < end, "not within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const phase = (rt: Realtime, wanted: ConnectionState["phase"]) => until(() => rt.state.phase === wanted);

test("an application misses nothing over cuts, an expired token and a restart with its disk", async () => {
  const server = new TestServer({ roles: ["staff"], latency: 1 });
  const { rt, seen, gaps } = follow(server);
  await rt.subscribe("order:1").ready;
  const publish = (n: number) => {
    server.publish("order:1", "news", `t${n}`);
    server.publishToUser("alice", "news", `u${n}`);
    server.publishToRole("staff", "news", `r${n}`);
    server.publishToAll("news", `a${n}`);
  };
  const breaks = [() => server.cut(), () => server.expireTokens(), () => server.restart(), () => server.close(4503, "draining", { after_ms: 1 })];
  for (const [n, interrupt] of breaks.entries()) {
    publish(3 * n);
    interrupt();
    publish(3 * n + 1);
    await phase(rt, "connected");
    await until(() => server.connections.size === 1);
    publish(3 * n + 2);
  }
  await until(() => seen.length === 48);
  for (const stream of "tura") {
    assert.deepEqual(seen.filter((payload) => String(payload)[0] === stream), Array.from({ length: 12 }, (_, n) => `${stream}${n}`));
  }
  assert.deepEqual([gaps, rt.state.resumed], [[], true]);
  rt.stop();
});

test("what a restart without a disk and a short history lose has its gap", async () => {
  const server = new TestServer({ history: { short: 2 } });
  const { rt, seen, gaps } = follow(server);
  await rt.subscribe("short").ready;
  server.publishToUser("alice", "news", "before");
  await until(() => seen.length === 1);
  server.disconnectNetwork();
  for (let n = 1; n <= 5; n++) server.publish("short", "news", n);
  await phase(rt, "waiting");
  server.connectNetwork();
  await until(() => seen.length === 3);
  assert.deepEqual([seen, gaps], [["before", 4, 5], ["topic:short retention"]]);
  server.restart({ keepHistory: false });
  await until(() => gaps.length === 4);
  assert.deepEqual(gaps.slice(1).sort(), ["all not_resumed", "topic:short epoch", "user not_resumed"].sort());
  rt.stop();
});

test("a listener of a stream without history receives its messages", async () => {
  const server = new TestServer({ roles: ["staff"], history: { user: 0, all: 0, "role:staff": 0 } });
  const { rt } = follow(server);
  const received: unknown[] = [];
  for (const name of ["@user", "@role:staff", "@all"]) rt.on(name, "news", ({ stream, offset }) => received.push([name, stream, offset]));
  await phase(rt, "connected");
  server.publishToUser("alice", "news", 1);
  server.publishToRole("staff", "news", 1);
  server.publishToAll("news", 1);
  await until(() => received.length === 3);
  assert.deepEqual(received, ["user", "role:staff", "all"].map((stream) => [`@${stream}`, stream, undefined]));
  rt.stop();
});

test("a publication is published once over a cut, a call has its result, and a refusal its words", async () => {
  const server = new TestServer({ latency: 1 });
  const { rt } = follow(server);
  server.onCall("add", ({ a, b }) => a + b);
  assert.equal(await rt.call("add", { a: 1, b: 2 }), 3);
  const published = rt.publish("chat:1", "said", "hi");
  await until(() => server.commands.some(({ action }) => action === "publish"));
  server.cut();
  assert.equal((await published).duplicate, true);
  assert.equal((await rt.history("topic:chat:1")).publications.length, 1);
  server.refuse("subscribe", { code: "forbidden", status: 403 }, "secret");
  await assert.rejects(rt.subscribe("secret").ready, (error: RealtimeError) => error.code === "forbidden");
  server.give("alice", "deal:1");
  server.publish("deal:1", "news", 1);
  server.take("alice", "deal:1");
  rt.stop();
});

test("a user who signs out stops the client", async () => {
  const server = new TestServer();
  let user: string | undefined = "alice";
  const { rt } = follow(server, () => (user ? server.token(user) : null));
  await phase(rt, "connected");
  user = undefined;
  server.expireTokens();
  await phase(rt, "stopped");
  assert.equal(rt.state.reason?.code, "signed_out");
});
