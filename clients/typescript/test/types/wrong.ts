// What must not compile: each line after an expectation is an error, or the expectation is one.
import { connect } from "../../src/index.js";

type Topics = {
  "order:*": { "order-updated": { status: "open" | "shipped"; total: number }; note: { text: string } };
  "chat:**": { said: { text: string } };
};

const rt = connect<Topics>({ url: "wss://example.com/ws", token: "jwt" });

// @ts-expect-error: no such type of this topic
rt.on("order:*", "order-deleted", () => {});
// @ts-expect-error: no such topic
rt.on("orders:1", "note", () => {});
// @ts-expect-error: `*` is one part
rt.on("order:1:items", "note", () => {});
// @ts-expect-error: a misspelt field
rt.on("order:1", "order-updated", (m) => m.payload.statsu);
// @ts-expect-error: the type belongs to another topic
rt.on("chat:1", "note", () => {});
// @ts-expect-error: no such topic
rt.subscribe("invoice:1");
// @ts-expect-error: `**` is one part or more
rt.subscribe("chat");
// @ts-expect-error: a value that the payload can't have
void rt.publish("order:1", "order-updated", { status: "lost", total: 1 });
// @ts-expect-error: a missing field
void rt.publish("order:1", "order-updated", { status: "open" });
// @ts-expect-error: no such field
void rt.publish("order:1", "note", { text: "a", colour: "red" });
// @ts-expect-error: the field is only in one of the types
rt.on("order:1", (m) => m.payload.text);
// @ts-expect-error: a field that no message of this history has
void rt.history("topic:chat:1").then(({ publications: [m] }) => m?.payload.txt);
// @ts-expect-error: nothing is known of the payloads of a topic that the types do not have
void rt.history("topic:invoice:1").then(({ publications: [m] }) => m?.payload.n);
// @ts-expect-error: a provider must return a text or null
connect({ url: "ws://localhost/ws", token: () => undefined });
// @ts-expect-error: a position has an epoch
rt.subscribe("order:1", { since: { offset: 1 } });
