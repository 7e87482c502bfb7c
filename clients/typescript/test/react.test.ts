// S42: StrictMode, changing handlers, changing topics; one socket, one subscribe.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createElement as h, StrictMode, type FunctionComponent } from "react";
import { act, create, type ReactTestRenderer } from "react-test-renderer";
import { Realtime } from "../src/index.js";
import { RealtimeProvider, useConnectionState, useMessages, usePresence, useSubscription, type SubscriptionView } from "../src/react.js";
import { connected, FakeSocket, turns } from "./fake-socket.js";

(globalThis as any).IS_REACT_ACT_ENVIRONMENT = true;
// The renderer for tests says that it is deprecated.
console.error = () => {};

async function mount(rt: Realtime, component: FunctionComponent<any>, props: object = {}): Promise<{ root: ReactTestRenderer; again: (props: object) => Promise<void> }> {
  const tree = (own: object) => h(StrictMode, null, h(RealtimeProvider, { client: rt }, h(component, own)));
  let root!: ReactTestRenderer;
  await act(async () => { root = create(tree(props), { unstable_strictMode: true } as any); });
  return { root, again: (own) => act(async () => root.update(tree(own))) };
}

test("S42: StrictMode subscribes once, the handler is the latest, and the last message stays", async () => {
  const { rt, socket, clock } = await connected();
  const heard: string[] = [];
  let view: SubscriptionView<number> | undefined;
  const Order: FunctionComponent<{ topic: string | null; by: string }> = ({ topic, by }) => {
    view = useSubscription<number>(topic, "news", (message) => heard.push(`${by}${message.payload}`));
    return null;
  };
  const { root, again } = await mount(rt, Order, { topic: "order:1", by: "a" });
  assert.deepEqual(socket.sent.map(({ action, topic }) => `${action} ${topic}`), ["subscribe order:1"]);
  await act(async () => socket.ack({}));
  assert.equal(view?.status, "live");
  await act(async () => socket.message("order:1", 1));
  await again({ topic: "order:1", by: "b" });
  await act(async () => socket.message("order:1", 2));
  await act(async () => socket.message("order:1", 3, undefined, "other"));
  assert.deepEqual([heard, view?.last?.payload], [["a1", "b2"], 2]);
  await again({ topic: "order:2", by: "b" });
  assert.deepEqual([view?.status, view?.last], ["pending", undefined]);
  await again({ topic: "order:1", by: "c" });
  await again({ topic: null, by: "c" });
  assert.equal(view?.status, "idle");
  await act(async () => root.unmount());
  await clock.advanceTo(2_000, turns);
  const { length } = socket.sent.filter(({ action, topic }) => action === "subscribe" && topic === "order:1");
  assert.deepEqual([FakeSocket.all.length, length], [1, 0], "coming back within a second is nothing on the wire");
  assert.equal(rt.state.phase, "connected", "the provider stops nothing");
  rt.stop();
});

test("messages are kept up to the limit, presence and the connection are shown, a refusal has its reason", async () => {
  const { rt, socket } = await connected();
  let shown: any;
  const Room: FunctionComponent<{ topic: string }> = ({ topic }) => {
    shown = { messages: useMessages<number>(topic, { limit: 2 }).map(({ payload }) => payload), state: useConnectionState().phase, presence: usePresence(topic), refused: useSubscription("secret") };
    return null;
  };
  const { root } = await mount(rt, Room, { topic: "chat" });
  await act(async () => {
    for (const command of socket.sent.splice(0)) {
      if (command.topic === "secret") socket.frame("error", { id: command.id, code: "forbidden", status: 403, retry: false, message: "no grant" });
      else if (command.action !== "presence") socket.frame("ack", { id: command.id });
      else if (command.subscribe) socket.frame("ack", { id: command.id, presence: { topic: "chat", version: 1, count: 1, users: [{ user: "bob", connections: 1 }] } });
    }
    await turns();
  });
  for (const n of [1, 2, 3]) await act(async () => socket.message("chat", n));
  assert.deepEqual([shown.messages, shown.state, shown.presence.count, shown.refused.error?.message], [[2, 3], "connected", 1, "no grant"]);
  await act(async () => rt.stop());
  assert.equal(shown.state, "stopped");
  await act(async () => root.unmount());
});

test("without a provider the error says what is missing", async () => {
  const Lost: FunctionComponent = () => { useConnectionState(); return null; };
  await assert.rejects(async () => act(async () => void create(h(Lost))), /RealtimeProvider/);
});

test("the history of a topic is loaded first, again after a gap, and not into another topic", async () => {
  const { rt, socket } = await connected();
  let shown: number[] = [];
  const Room: FunctionComponent<{ topic: string }> = ({ topic }) => {
    shown = useMessages<number>(topic, { limit: 3, type: "news", history: true }).map(({ payload }) => payload);
    return null;
  };
  const page = async (stream: string, numbers: number[]): Promise<void> => act(async () => {
    const publications = numbers.map((payload) => ({ type: payload ? "news" : "other", payload, id: `m${payload}`, timestamp: "" })).reverse();
    for (const { action, id, stream: asked, limit, reverse } of socket.sent.splice(0)) {
      if (action !== "history" || asked !== stream) continue;
      assert.deepEqual([limit, reverse], [3, true]);
      socket.frame("ack", { id, position: { epoch: "e", offset: 9 }, publications });
    }
    await turns();
  });
  const { root, again } = await mount(rt, Room, { topic: "chat:1" });
  await page("topic:chat:1", [7, 0, 8]);
  assert.deepEqual(shown, [7, 8]);
  await act(async () => { socket.ack({ position: { epoch: "e", offset: 9 } }); });
  await act(async () => socket.message("chat:1", 10, 10));
  assert.deepEqual(shown, [7, 8, 10]);
  await act(async () => socket.frame("gap", { stream: "topic:chat:1", to: 20, position: { epoch: "e", offset: 20 }, reason: "retention" }));
  await page("topic:chat:1", [21]);
  assert.deepEqual(shown, [21]);
  await again({ topic: "chat:2" });
  const late = socket.sent.splice(0);
  await again({ topic: "chat:3" });
  await page("topic:chat:3", [31]);
  socket.sent.push(...late);
  await page("topic:chat:2", [1]);
  assert.deepEqual(shown, [31]);
  await act(async () => root.unmount());
  rt.stop();
});
