// What must compile.
import { connect, type Gap, type Message, type Subscription } from "../../src/index.js";

type Topics = {
  "order:*": { "order-updated": { status: "open" | "shipped"; total: number }; note: { text: string } };
  "order:*:items": { added: { item: number } };
  "chat:**": { said: { text: string } };
  "@user": { notice: { title: string } };
};

const rt = connect<Topics>({ url: "wss://example.com/ws", token: async ({ reason }) => (reason === "refused" ? null : "jwt") });
const id: string = "7";

rt.on("order:*", "order-updated", (m) => { const status: "open" | "shipped" = m.payload.status; void status; });
rt.on("order:123", "note", (m) => { const text: string = m.payload.text; void text; });
rt.on(`order:${id}`, "order-updated", (m) => { const total: number = m.payload.total; void total; });
rt.on("order:1:items", "added", (m) => { const item: number = m.payload.item; void item; });
rt.on("chat:a:b:c", "said", (m) => { const text: string = m.payload.text; void text; });
rt.on("@user", "notice", (m) => { const title: string = m.payload.title; void title; });
rt.on("order:1", (m) => {
  if (m.type === "note") { const text: string = m.payload.text; void text; }
  else { const total: number = m.payload.total; void total; }
});

const sub: Subscription = rt.subscribe("order:1", { getState: async () => ({ epoch: "a", offset: 1 }) });
const ready: Promise<{ position?: { epoch: string; offset: number }; recovered: number }> = sub.ready;
const published: Promise<{ message: string }> = rt.publish("order:1", "note", { text: "hi" }, { idempotencyKey: "k" });
rt.onGap((gap: Gap) => void gap.previous?.offset);
void ready; void published;
void rt.history("topic:order:1", { limit: 50, reverse: true }).then(({ publications }) => {
  for (const m of publications) if (m.type === "note") { const text: string = m.payload.text; void text; }
});
void rt.history(`topic:chat:${id}`).then(({ publications: [m] }) => { const text: string | undefined = m?.payload.text; void text; });
void rt.history("user").then(({ publications }) => { const messages: Message[] = publications; void messages; });

// Without types, everything is allowed.
const loose = connect({ url: "ws://localhost/ws", token: "jwt", WebSocket: class {} });
loose.on("anything:*", "any-type", (m) => { const x: number = m.payload.some.thing; void x; });
loose.on("**", (m) => { const message: Message = m; void message; });
void loose.publish("a", "b", { c: 1 });
void loose.history("topic:a").then(({ publications: [m] }) => { const x: number = m?.payload.some.thing; void x; });
