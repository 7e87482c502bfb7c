// Compiled with `tsc --strict` against the types that are generated from the JSON Schemas.
import type { ClientCommand } from "./client-command.js";
import type { PublishRequest } from "./publish-request.js";
import type { ControlFrame, ServerFrame } from "./server-frame.js";

export function onFrame(frame: ServerFrame): string {
  if (frame.id !== undefined) {
    // @ts-expect-error: a payload is any JSON value, not always an object
    frame.payload.status;
    if (typeof frame.payload === "string") return frame.payload.toUpperCase();
    return `${frame.id} ${frame.topic ?? ""} ${JSON.stringify(frame.payload)}`;
  }
  return onControl(frame);
}

function onControl(frame: ControlFrame): string {
  switch (frame.type) {
    case "welcome": {
      const { user, limits, streams, token_expires_in_ms } = frame.payload;
      const offset: number | undefined = streams["topic:order:123"]?.offset;
      const lasts: number | undefined = token_expires_in_ms;
      // @ts-expect-error: there is no such field
      void frame.payload.reason.length;
      return `${user} ${limits.burst + (offset ?? 0) + (lasts ?? 0)}`;
    }
    case "ack":
      return `${frame.payload.id} ${frame.payload.streams?.["user"]?.offset} ${frame.payload.publications?.map(({ id, offset }) => id + offset)}`;
    case "error":
      return frame.payload.code + (frame.payload.errors ?? []).map(({ path, message }) => path + message).join();
    case "subscribed":
      return frame.payload.topic + (frame.payload.reason ?? "");
    case "unsubscribed":
      return frame.payload.topic + frame.payload.reason;
    case "gap": {
      // A reason that is added later is a string as well.
      const reason: string = frame.payload.reason;
      const position: { epoch: string; offset: number } | undefined = frame.payload.position;
      return `${frame.payload.stream ?? "?"} ${frame.payload.missed ?? 0} ${reason} ${position?.offset}`;
    }
    case "presence":
      return (frame.payload.joined ?? []).map(({ user }) => user).concat(frame.payload.left ?? []).join();
    case "closing":
      return frame.payload.reconnect ? String(frame.payload.after_ms + frame.payload.spread_ms) : "stay away";
    case "ping":
      return "pong";
    default: {
      // Every type was handled: nothing is left.
      const never: never = frame;
      return never;
    }
  }
}

export const commands: ClientCommand[] = [
  { action: "subscribe", id: 7, topic: "order:123", since: { epoch: "k3f", offset: 17 } },
  { action: "unsubscribe", id: "u", topic: "order:123" },
  { action: "refresh", token: "…" },
  { action: "publish", id: 8, topic: "chat:7", type: "note", payload: { text: "hi" }, idempotency_key: "n-1" },
  { action: "history", id: 9, stream: "topic:order:123", limit: 50, reverse: true },
  { action: "presence", id: 10, topic: "order:123", subscribe: true },
  { action: "resume", id: 11, since: { user: { epoch: "k3f", offset: 4 } } },
  { action: "ping" },
  { action: "pong" },
  // @ts-expect-error: a position is an epoch and an offset
  { action: "resume", since: { user: 4 } },
  // @ts-expect-error: a subscription needs a topic
  { action: "subscribe", id: 7 },
  // @ts-expect-error: there is no such action
  { action: "shout" },
];

export const publications: PublishRequest[] = [
  { to: "all", type: "greeting", payload: null },
  { to: { topic: "order:123" }, type: "order-updated", payload: { status: "shipped", tags: ["a"] } },
  { to: [{ user: "alice" }, { role: "admin" }], type: "n", payload: 1, idempotency_key: "k" },
  // @ts-expect-error: the payload is missing
  { to: "all", type: "greeting" },
];
