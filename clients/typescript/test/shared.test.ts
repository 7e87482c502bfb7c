// The entry point `shared`: tabs of one browser, a server in memory, and tabs that end in every way.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Realtime } from "../src/index.js";
import { connect, SharedRealtime } from "../src/shared/index.js";
import { TestServer } from "../src/testing/index.js";
import { FakeBrowser, type FakeTab } from "./fake-browser.js";

interface Tab { tab: FakeTab; rt: SharedRealtime; seen: string[]; gaps: string[]; errors: string[] }

/** Clients of killed tabs have timers, which would keep this process alive. */
const all: SharedRealtime[] = [];
after(() => all.forEach((rt) => rt.stop()));

function open(browser: FakeBrowser, server: TestServer, { user = "alice", token = () => server.token(user) as string | null, topics = ["order:1"] } = {}): Tab {
  const tab = browser.tab(server);
  const rt = connect({ url: "ws://test/ws", user, token, browser: tab });
  all.push(rt);
  const opened: Tab = { tab, rt, seen: [], gaps: [], errors: [] };
  rt.on("**", ({ payload }) => opened.seen.push(String(payload)));
  rt.onGap((gap) => opened.gaps.push(`${gap.stream} ${gap.reason}`));
  rt.onError((error) => opened.errors.push(error.message));
  for (const topic of topics) rt.subscribe(topic);
  return opened;
}

async function until(condition: () => boolean, what: () => string = () => ""): Promise<void> {
  const end = Date.now() + 5_000;
  while (!condition()) {
    assert.ok(Date.now() < end, `not within 5 s ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const ready = async (tabs: Tab[]): Promise<void> => { for (const { rt } of tabs) await rt.subscribe("order:1").ready; };
const connected = (...tabs: Tab[]): Promise<void> => until(() => tabs.every(({ rt }) => rt.state.phase === "connected"), () => tabs.map(({ rt }) => JSON.stringify(rt.state)).join());
const leaders = (tabs: Tab[]): Tab[] => tabs.filter(({ rt }) => rt.state.shared === "leader");
const stop = (tabs: Tab[]): void => tabs.forEach(({ rt }) => rt.stop());

async function three(server: TestServer): Promise<[FakeBrowser, Tab[]]> {
  const browser = new FakeBrowser();
  const tabs = [open(browser, server), open(browser, server), open(browser, server)];
  await connected(...tabs);
  await ready(tabs);
  return [browser, tabs];
}

test("three tabs share one socket, and each has everything once", async () => {
  const server = new TestServer({ latency: 1 });
  const [, tabs] = await three(server);
  assert.deepEqual([server.connections.size, leaders(tabs).length], [1, 1]);
  const wanted = Array.from({ length: 20 }, (_, n) => [`t${n}`, `u${n}`]).flat();
  for (let n = 0; n < 20; n++) {
    server.publish("order:1", "news", `t${n}`);
    server.publishToUser("alice", "news", `u${n}`);
  }
  await until(() => tabs.every(({ seen }) => seen.length === 40));
  for (const { seen, gaps, errors } of tabs) assert.deepEqual([seen, gaps, errors], [wanted, [], []]);
  stop(tabs);
  await until(() => server.connections.size === 0);
});

test("S33: the tab with the socket is killed during traffic: another takes over, nothing is lost or comes twice", async () => {
  const server = new TestServer({ latency: 1 });
  const [, tabs] = await three(server);
  let published = 0;
  const timer = setInterval(() => {
    server.publish("order:1", "news", `t${published}`);
    server.publishToUser("alice", "news", `u${published}`);
    published += 1;
  }, 2);
  let alive = tabs;
  for (let kills = 0; kills < 2; kills++) {
    await new Promise((resolve) => setTimeout(resolve, 60));
    const [leader] = leaders(alive) as [Tab];
    leader.tab.kill();
    alive = alive.filter((tab) => tab !== leader);
    const died = Date.now();
    await until(() => leaders(alive).length === 1 && server.connections.size === 1);
    await connected(...alive);
    assert.ok(Date.now() - died < 2_000, "within 2 s");
  }
  await new Promise((resolve) => setTimeout(resolve, 60));
  clearInterval(timer);
  const [last] = alive as [Tab];
  await until(() => last.seen.length === 2 * published, () => `${last.seen.length} of ${2 * published}`);
  for (const kind of "tu") assert.deepEqual(last.seen.filter((text) => text[0] === kind), Array.from({ length: published }, (_, n) => `${kind}${n}`));
  assert.deepEqual([last.gaps, last.errors], [[], []]);
  stop(alive);
});

test("cuts, expired tokens, restarts and a drain: every tab continues where it was", async () => {
  let tokens = 0;
  const server = new TestServer({ latency: 1 });
  const browser = new FakeBrowser();
  const token = (): string => { tokens += 1; return server.token("alice"); };
  const tabs = [open(browser, server, { token }), open(browser, server, { token }), open(browser, server, { token })];
  await connected(...tabs);
  await ready(tabs);
  assert.equal(tokens, 1, "only the tab with the socket asks for a token");
  const breaks = [() => server.cut(), () => server.expireTokens(), () => server.restart(), () => server.close(4503, "draining", { after_ms: 1 })];
  let published = 0;
  const publish = (): void => { server.publish("order:1", "news", `t${published}`); server.publishToUser("alice", "news", `u${published++}`); };
  for (const interrupt of breaks) {
    publish();
    interrupt();
    publish();
    await until(() => server.connections.size === 1);
    await connected(...tabs);
    publish();
    await until(() => tabs.every(({ seen }) => seen.length === 2 * published), () => JSON.stringify(tabs.map(({ seen, rt }) => [seen.length, rt.state])));
  }
  for (const { seen, gaps } of tabs) {
    for (const kind of "tu") assert.deepEqual(seen.filter((text) => text[0] === kind), Array.from({ length: published }, (_, n) => `${kind}${n}`));
    assert.deepEqual(gaps, []);
  }
  stop(tabs);
});

test("what is lost has its gap in every tab", async () => {
  const server = new TestServer();
  const [, tabs] = await three(server);
  server.publish("order:1", "news", "t0");
  await until(() => tabs.every(({ seen }) => seen.length === 1));
  server.restart({ keepHistory: false });
  await until(() => tabs.every(({ gaps }) => gaps.includes("topic:order:1 epoch")), () => JSON.stringify(tabs.map(({ gaps, rt }) => [gaps, rt.state])));
  stop(tabs);
});

test("S34: different users never share, and a token of another user ends the client", async () => {
  const server = new TestServer();
  const browser = new FakeBrowser();
  const tabs = [open(browser, server), open(browser, server, { user: "bob" })] as [Tab, Tab];
  await connected(...tabs);
  assert.deepEqual([server.connections.size, leaders(tabs).length], [2, 2]);
  server.publishToUser("bob", "news", "for bob");
  await until(() => tabs[1].seen.length === 1);
  assert.deepEqual(tabs[0].seen, []);
  const wrong = open(browser, server, { user: "carol", token: () => server.token("bob") });
  await until(() => wrong.rt.state.phase === "stopped");
  assert.equal(wrong.rt.state.reason?.code, "other_user");
  stop(tabs);
});

test("a topic is left when its last tab leaves it, or is killed", async () => {
  const server = new TestServer();
  const browser = new FakeBrowser();
  const [first, second] = [open(browser, server, { topics: ["a"] }), open(browser, server, { topics: ["a", "b"] })] as [Tab, Tab];
  await connected(first, second);
  const topics = (): string[] => [...server.connections].flatMap(({ topics }) => [...topics]).sort();
  await until(() => topics().join() === "a,b");
  second.tab.kill();
  await until(() => topics().join() === "a");
  assert.ok(leaders([first]).length === 1);
  server.publish("a", "news", "still");
  await until(() => first.seen.length === 1);
  stop([first]);
});

test("a tab whose own lock comes late is not taken for one that has ended", async () => {
  const server = new TestServer();
  const browser = new FakeBrowser();
  browser.lockDelay = 50;
  const tabs = [open(browser, server), open(browser, server, { topics: [] })] as [Tab, Tab];
  await connected(...tabs);
  await new Promise((resolve) => setTimeout(resolve, 60));
  await tabs[1].rt.subscribe("order:2").ready;
  assert.equal(server.connections.size, 1);
  stop(tabs);
});

test("a tab that subscribes later, with a position, gets what came before and the others get nothing twice", async () => {
  const server = new TestServer({ latency: 1 });
  const browser = new FakeBrowser();
  const first = open(browser, server);
  await ready([first]);
  for (let n = 0; n < 10; n++) server.publish("order:1", "news", `t${n}`);
  await until(() => first.seen.length === 10);
  const second = open(browser, server, { topics: [] });
  await connected(second);
  const timer = setInterval(() => server.publish("order:1", "news", `t${published++}`), 1);
  let published = 10;
  const { epoch } = first.rt.session().positions["topic:order:1"] as { epoch: string };
  await second.rt.subscribe("order:1", { since: { epoch, offset: 3 } }).ready;
  await new Promise((resolve) => setTimeout(resolve, 30));
  clearInterval(timer);
  const all = Array.from({ length: published }, (_, n) => `t${n}`);
  await until(() => first.seen.length === all.length && second.seen.length === all.length - 3);
  assert.deepEqual([first.seen, second.seen, first.gaps, second.gaps], [all, all.slice(3), [], []]);
  stop([first, second]);
});

test("a publication without an echo reaches the other tabs", async () => {
  const server = new TestServer({ latency: 1 });
  const [, tabs] = await three(server);
  const [a, b, c] = tabs as [Tab, Tab, Tab];
  await b.rt.publish("order:1", "news", "mine", { echo: false });
  server.publish("order:1", "news", "next");
  await until(() => tabs.every(({ seen }) => seen.includes("next")));
  assert.deepEqual([a.seen, b.seen, c.seen], [["mine", "next"], ["next"], ["mine", "next"]]);
  stop(tabs);
});

test("publications of a tab are published once, although the tab with the socket is killed before their reply", async () => {
  const server = new TestServer({ latency: 3 });
  const [, tabs] = await three(server);
  const [leader] = leaders(tabs) as [Tab];
  const others = tabs.filter((tab) => tab !== leader) as [Tab, Tab];
  const published = Array.from({ length: 5 }, (_, n) => others[0].rt.publish("order:1", "news", `p${n}`));
  await until(() => server.commands.some(({ action }) => action === "publish"));
  leader.tab.kill();
  await Promise.all(published);
  await until(() => others[1].seen.length === 5);
  assert.deepEqual(others[1].seen, ["p0", "p1", "p2", "p3", "p4"]);
  stop(others);
});

test("calls and pages of a tab have their own replies", async () => {
  const server = new TestServer();
  server.onCall("who", (payload) => payload);
  const [, tabs] = await three(server);
  const replies = await Promise.all(tabs.map(({ rt }, n) => rt.call("who", n)));
  assert.deepEqual(replies, [0, 1, 2]);
  stop(tabs);
});

test("a tab that stops leaves the others connected", async () => {
  const server = new TestServer();
  const [, tabs] = await three(server);
  const [leader] = leaders(tabs) as [Tab];
  leader.rt.stop();
  const others = tabs.filter((tab) => tab !== leader);
  await until(() => leaders(others).length === 1);
  await connected(...others);
  server.publishToUser("alice", "news", "u");
  await until(() => others.every(({ seen }) => seen.length === 1));
  assert.deepEqual([leader.seen, leader.rt.state.phase], [[], "stopped"]);
  leader.rt.start();
  await connected(leader);
  assert.equal(server.connections.size, 1);
  stop(tabs);
});

test("a user who signs out is signed out in every tab", async () => {
  let signedIn = true;
  const server = new TestServer();
  const browser = new FakeBrowser();
  const token = (): string | null => (signedIn ? server.token("alice") : null);
  const tabs = [open(browser, server, { token }), open(browser, server, { token })];
  await connected(...tabs);
  signedIn = false;
  server.cut();
  await until(() => tabs.every(({ rt }) => rt.state.phase === "stopped"), () => JSON.stringify(tabs.map(({ rt }) => rt.state)));
  assert.deepEqual(tabs.map(({ rt }) => rt.state.reason?.code), ["signed_out", "signed_out"]);
  assert.equal(server.connections.size, 0);
});

test("a block that the server tells stops every tab", async () => {
  const server = new TestServer();
  const [, tabs] = await three(server);
  server.close(4403, "blocked");
  await until(() => tabs.every(({ rt }) => rt.state.phase === "stopped"), () => JSON.stringify(tabs.map(({ rt }) => rt.state)));
  assert.deepEqual(tabs.map(({ rt }) => rt.state.reason?.code), [4403, 4403, 4403]);
});

test("a tab in view takes the socket from a frozen one", async () => {
  const server = new TestServer();
  const [, tabs] = await three(server);
  const [leader] = leaders(tabs) as [Tab];
  leader.tab.frozen = true;
  const others = tabs.filter((tab) => tab !== leader);
  server.cut();
  others[0]?.rt.stop();
  others[0]?.rt.start();
  await until(() => leaders(others).length === 1, () => JSON.stringify(others.map(({ rt }) => rt.state)));
  await connected(...[others[0] as Tab]);
  leader.tab.frozen = false;
  await until(() => leaders(tabs).length === 1);
  await until(() => server.connections.size === 1);
  stop(tabs);
});

test("a hidden tab that must reconnect hands over to a tab in view", async () => {
  const server = new TestServer();
  const [, tabs] = await three(server);
  const [leader] = leaders(tabs) as [Tab];
  leader.tab.seen = false;
  server.disconnectNetwork();
  await until(() => leader.rt.state.phase === "waiting");
  await until(() => leader.rt.state.shared === "follower", () => JSON.stringify(tabs.map(({ rt }) => rt.state)));
  server.connectNetwork();
  await connected(...tabs);
  assert.equal(server.connections.size, 1);
  stop(tabs);
});

test("a browser that cannot share has one socket for each tab", async () => {
  const server = new TestServer();
  const own = (): SharedRealtime => connect({ url: "ws://test/ws", user: "alice", token: server.token("alice"), WebSocket: server.WebSocket });
  const tabs: Realtime[] = [own(), own()];
  await until(() => tabs.every((rt) => rt.state.phase === "connected"));
  assert.equal(server.connections.size, 2);
  assert.equal((tabs[0] as SharedRealtime).state.shared, "alone");
  tabs.forEach((rt) => rt.stop());
});
