// Presence: S31, pages, reconnects, and rights.
import assert from "node:assert/strict";
import { test } from "node:test";
import { presence, type PresenceChange } from "../src/presence.js";
import { connected, FakeSocket, turns } from "./fake-socket.js";

const user = (name: string, connections = 1, metadata?: unknown) => ({ user: name, connections, ...(metadata === undefined ? {} : { metadata }) });
const names = (users: Iterable<{ user: string }>): string[] => [...users].map((one) => one.user);

function watched(changes: string[]): (change: PresenceChange) => void {
  return ({ joined, left, updated }) => changes.push(`+${names(joined)} -${names(left)} *${names(updated)}`);
}

async function reply(socket: FakeSocket, list: object): Promise<void> {
  socket.ack({ presence: { topic: "chat", ...list } });
  await turns();
}

test("S31: who joined before the list is on it, tabs do not leave, and a reconnect is a difference", async () => {
  const { rt, socket, clock } = await connected();
  const changes: string[] = [];
  const chat = presence(rt, "chat");
  chat.onChange(watched(changes));
  assert.equal(socket.sent[0].subscribe, true);
  socket.frame("presence", { topic: "chat", version: 8, count: 2, joined: [user("alice", 3)] });
  await reply(socket, { version: 7, count: 1, users: [user("bob")] });
  assert.deepEqual([names((await chat.ready).values()), chat.count], [["bob", "alice"], 2]);
  // Two of alice's three tabs close: nothing is sent, so nothing changes.
  socket.frame("presence", { topic: "chat", version: 9, count: 3, joined: [user("carol")] });
  socket.frame("presence", { topic: "other", version: 99, count: 0, left: ["alice"] });
  socket.frame("presence", { topic: "chat", version: 9, count: 0, left: ["carol"] });
  assert.deepEqual(names(chat.users.values()), ["bob", "alice", "carol"]);

  socket.onclose?.({ code: 1006, reason: "" });
  await clock.advanceTo(2_000, turns);
  assert.equal(chat.users.size, 3, "no flicker");
  const next = FakeSocket.all.at(-1) as FakeSocket;
  next.frame("welcome", { user: "alice", streams: {} });
  await reply(next, { version: 1, count: 2, users: [user("alice", 1), user("dave")] });
  assert.deepEqual(changes, ["+bob,alice - *", "+carol - *", "+dave -bob,carol *"]);
  chat.stop();
  assert.equal(next.sent.at(-1).subscribe, false);
  rt.stop();
});

test("a list of several pages is one change, with what changed meanwhile", async () => {
  const { rt, socket } = await connected();
  const changes: string[] = [];
  const chat = presence(rt, "chat");
  chat.onChange(watched(changes));
  await reply(socket, { version: 3, count: 3, users: [user("a"), user("b")], next: "b" });
  assert.equal(socket.sent[0].after, "b");
  socket.frame("presence", { topic: "chat", version: 4, count: 3, joined: [user("z")], left: ["a"] });
  await reply(socket, { version: 4, count: 3, users: [user("c"), user("z")] });
  assert.deepEqual(changes, ["+b,c,z - *"]);
  socket.frame("presence", { topic: "chat", version: 5, count: 3, updated: [user("c", 1, { name: "C" })] });
  assert.deepEqual(chat.users.get("c")?.metadata, { name: "C" });
  socket.frame("presence", { topic: "chat", version: 9, count: 1, users: [user("c", 1, { name: "C" })] });
  assert.deepEqual([changes.at(-1), chat.count], ["+ -b,z *", 1]);
  rt.stop();
});

test("without the right, and when it is lost, the watch ends with the reason", async () => {
  const { rt, socket } = await connected();
  const refused = presence(rt, "secret");
  const { id } = socket.sent.at(-1);
  socket.frame("error", { id, code: "forbidden", status: 403, retry: false, message: "no grant" });
  await assert.rejects(refused.ready, /no grant/);
  const lost = presence(rt, "chat");
  await reply(socket, { version: 1, count: 0, users: [] });
  socket.frame("presence", { topic: "chat", version: 2, count: 0, ended: "revoked" });
  assert.match(String(lost.error), /revoked/);
  assert.deepEqual(socket.sent, []);
  rt.stop();
});
