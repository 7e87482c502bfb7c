// A socket without a network, and a client on it: for tests of the API, with virtual time.
import { Realtime, type Options } from "../src/index.js";
import { VirtualClock } from "./scenario/clock.js";

export class FakeSocket {
  static all: FakeSocket[] = [];
  onmessage: ((event: any) => void) | null = null;
  onclose: ((event: any) => void) | null = null;
  onerror: ((event: any) => void) | null = null;
  readyState = 1;
  closes = true;
  terminated = false;
  readonly sent: any[] = [];

  constructor(readonly url: string, readonly protocols: string[]) {
    FakeSocket.all.push(this);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.readyState = 2;
    if (this.closes) this.onclose?.({ code: 1000, reason: "" });
  }

  terminate(): void {
    this.terminated = true;
  }

  frame(type: string, payload: unknown, rest: object = {}): void {
    this.onmessage?.({ data: JSON.stringify({ type, payload, timestamp: "", ...rest }) });
  }

  message(topic: string, payload: unknown, offset?: number, type = "news"): void {
    this.frame(type, payload, { id: `m${payload}`, topic, ...(offset === undefined ? {} : { stream: `topic:${topic}`, offset }) });
  }

  /** Replies to all commands that have an id. */
  ack(fields: object = {}): void {
    for (const { id } of this.sent.splice(0)) if (id !== undefined) this.frame("ack", { id, ...fields });
  }
}

/** Lets promises run. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

export async function connected(options: Partial<Options> = {}): Promise<{ rt: Realtime; socket: FakeSocket; clock: VirtualClock }> {
  FakeSocket.all = [];
  const clock = new VirtualClock();
  const rt = new Realtime({ url: "ws://localhost/ws", token: "jwt", WebSocket: FakeSocket, clock, ...options });
  rt.start();
  await turns();
  const socket = FakeSocket.all[0] as FakeSocket;
  socket.frame("welcome", { user: "alice", resume: "ticket", streams: {} });
  return { rt, socket, clock };
}
