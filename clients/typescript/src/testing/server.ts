// A server in memory that speaks the protocol as docs/protocol.md describes it: for the tests of an application.
import type { Message, Position } from "../machine/types.js";
import { Log } from "./log.js";
import { TestSocket } from "./socket.js";

export interface TestServerOptions {
  /** Messages that the history of a stream keeps, by topic or `user`, `all`, `role:NAME`; 1,000 for the others. 0: none. */
  history?: Record<string, number>;
  /** The roles of every user. */
  roles?: string[];
  /** Of a frame, one way, in milliseconds. */
  latency?: number;
}

export interface Connection {
  socket: TestSocket;
  client: string | undefined;
  ticket: string | undefined;
  token: string;
  user: string;
  roles: string[];
  topics: Set<string>;
  /** Streams that stand still until `resume`. */
  held: Map<string, Position>;
}

/** An `error` in reply to a command. */
export interface Refusal { code: string; status: number; retry?: boolean; message?: string; after_ms?: number }

export class TestServer {
  latency: number;
  offline = false;
  readonly connections = new Set<Connection>();
  /** Everything that clients have sent. */
  readonly commands: any[] = [];
  readonly #logs = new Map<string, Log>();
  readonly #history: Record<string, number>;
  readonly #roles: string[];
  readonly #tokens = new Map<string, { user: string; until: number }>();
  readonly #calls = new Map<string, (payload: any, user: string) => unknown>();
  readonly #refusals: { action: string; topic: string | undefined; refusal: Refusal }[] = [];
  readonly #keys = new Map<string, object>();
  #epoch = 1;
  #count = 0;

  constructor({ history = {}, roles = [], latency = 0 }: TestServerOptions = {}) {
    this.#history = history;
    this.#roles = roles;
    this.latency = latency;
  }

  /** For the option `WebSocket` of a client. */
  get WebSocket(): new (url: string, protocols: string[]) => TestSocket {
    const server = this;
    return class extends TestSocket {
      constructor(url: string, protocols: string[]) {
        super(server, url, protocols);
      }
    };
  }

  /** A token that this server accepts, for a while. */
  token(user: string, expiresInMs = Infinity): string {
    const token = `token-${++this.#count}`;
    this.#tokens.set(token, { user, until: Date.now() + expiresInMs });
    return token;
  }

  /** Every token is refused from now on, and its connections are closed with 4610. */
  expireTokens(): void {
    this.#tokens.clear();
    for (const connection of this.connections) this.#close(connection, 4610, "the token has expired");
  }

  /** What `rt.call(name)` returns. It may throw. */
  onCall(name: string, handler: (payload: any, user: string) => unknown): void {
    this.#calls.set(name, handler);
  }

  /** The next such command is refused. */
  refuse(action: string, refusal: Refusal, topic?: string): void {
    this.#refusals.push({ action, topic, refusal });
  }

  publish(topic: string, type: string, payload: unknown): Message {
    return this.#publish(`topic:${topic}`, type, payload, (connection) => connection.topics.has(topic));
  }

  publishToUser(user: string, type: string, payload: unknown): Message {
    return this.#publish("user", type, payload, (connection) => connection.user === user, `user:${user}`);
  }

  publishToRole(role: string, type: string, payload: unknown): Message {
    return this.#publish(`role:${role}`, type, payload, (connection) => connection.roles.includes(role));
  }

  publishToAll(type: string, payload: unknown): Message {
    return this.#publish("all", type, payload, () => true);
  }

  /** Every connection breaks without a close frame; what is on its way is lost. */
  cut(): void {
    for (const { socket } of this.connections) socket.end(1006, "");
  }

  /** The network is away until `connectNetwork`. */
  disconnectNetwork(): void {
    this.offline = true;
    this.cut();
  }

  connectNetwork(): void {
    this.offline = false;
  }

  /** A new process: with its data directory, or with nothing. */
  restart({ keepHistory = true } = {}): void {
    this.cut();
    if (keepHistory) return;
    this.#epoch += 1;
    for (const log of this.#logs.values()) log.lose(`e${this.#epoch}`);
  }

  /** `closing`, then a close with this code. */
  close(code: number, reason = "", closing: { after_ms?: number; spread_ms?: number } = {}): void {
    for (const connection of this.connections) this.#close(connection, code, reason, closing);
  }

  /** The backend gives a topic to every connection of a user. */
  give(user: string, topic: string): void {
    for (const connection of this.connections) {
      if (connection.user !== user) continue;
      connection.topics.add(topic);
      const log = this.#log(`topic:${topic}`);
      this.#send(connection, "subscribed", { topic, ...(log ? { position: log.position } : {}) });
    }
  }

  /** The backend takes a topic away. */
  take(user: string, topic: string): void {
    for (const connection of this.connections) {
      if (connection.user === user && connection.topics.delete(topic)) this.#send(connection, "unsubscribed", { topic, reason: "server" });
    }
  }

  #close(connection: Connection, code: number, reason: string, closing = {}): void {
    const reconnect = (code >= 4500 && code < 4700) || (code >= 4200 && code < 4400) || [1001, 1006, 1011, 1012, 1013, 1014].includes(code);
    this.#send(connection, "closing", { code, reason, reconnect, after_ms: 0, spread_ms: 0, ...closing });
    connection.socket.finish(code, reason);
  }

  #log(stream: string, key = stream): Log | undefined {
    const size = this.#history[stream.replace(/^topic:/, "")] ?? 1_000;
    let log = this.#logs.get(key);
    if (!log && size > 0) this.#logs.set(key, (log = new Log(stream, size, `e${this.#epoch}`)));
    return log;
  }

  #logOf(connection: Connection, stream: string): Log | undefined {
    return this.#log(stream, stream === "user" ? `user:${connection.user}` : stream);
  }

  #publish(stream: string, type: string, payload: unknown, to: (connection: Connection) => boolean, key = stream): Message {
    const id = `019ab1c2-7b1e-7c3a-9d54-${String(++this.#count).padStart(12, "0")}`;
    const name = stream.startsWith("topic:") ? { topic: stream.slice(6) } : { stream };
    const message: Message = { type, payload, timestamp: new Date().toISOString(), id, ...name };
    const published = this.#log(stream, key)?.append(message) ?? message;
    for (const connection of this.connections) if (to(connection) && !connection.held.has(stream)) connection.socket.deliver(published);
    return published;
  }

  #send(connection: Connection, type: string, payload: object): void {
    connection.socket.deliver({ type, payload, timestamp: new Date().toISOString() });
  }

  admit(connection: Connection): void {
    const token = this.#tokens.get(connection.token);
    if (!token || token.until <= Date.now()) return this.#close(connection, token ? 4610 : 4601, "the token is not accepted");
    Object.assign(connection, { user: token.user, roles: this.#roles });
    this.connections.add(connection);
    const own = ["all", "user", ...connection.roles.map((role) => `role:${role}`)];
    const streams = new Map(own.flatMap((stream) => { const log = this.#logOf(connection, stream); return log ? [[stream, log.position] as const] : []; }));
    const ticket = `ticket:${this.#epoch}:${connection.user}:${connection.client}`;
    const resumed = connection.ticket === ticket;
    if (resumed) connection.held = new Map(streams);
    this.#send(connection, "welcome", {
      connection: `connection-${++this.#count}`, user: connection.user, roles: connection.roles, client: connection.client,
      protocol: "realtime.v1", features: ["history", "publish"], server: "testing", time: new Date().toISOString(), ping_ms: 25_000,
      ...(token.until === Infinity ? {} : { token_expires_in_ms: token.until - Date.now() }),
      reconnect: { min_ms: 10, max_ms: 100, spread_ms: 10 }, limits: { burst: 100 },
      streams: Object.fromEntries(streams), resumed, resume: ticket, ...(resumed ? { hold_ms: 5_000 } : {}),
    });
  }

  forget(connection: Connection): void {
    this.connections.delete(connection);
  }

  receive(connection: Connection, command: any): void {
    if (!this.connections.has(connection)) return;
    const { action, id, topic } = command;
    if (action !== "pong" && action !== "ping") this.commands.push(command);
    const ack = (fields: object = {}): void => { if (id !== undefined) this.#send(connection, "ack", { id, ...fields }); };
    const refused = ({ retry = false, message = "refused by the test", ...rest }: Refusal): void => this.#send(connection, "error", { id, retry, message, ...rest });
    const at = this.#refusals.findIndex((one) => one.action === action && (one.topic === undefined || one.topic === topic));
    if (at >= 0) return refused((this.#refusals.splice(at, 1)[0] as { refusal: Refusal }).refusal);
    switch (action) {
      case "subscribe": return ack(this.#subscribe(connection, topic, command.since));
      case "unsubscribe": connection.topics.delete(topic); return ack();
      case "resume": return ack({ streams: this.#resume(connection, command.since) });
      case "publish": return ack(this.#published(command));
      case "history": return this.#page(connection, command, ack, refused);
      case "refresh": {
        const token = this.#tokens.get(command.token);
        if (!token || token.user !== connection.user) return refused({ code: token ? "forbidden" : "unauthorized", status: token ? 403 : 401 });
        return ack({ roles: connection.roles, ...(token.until === Infinity ? {} : { token_expires_in_ms: token.until - Date.now() }) });
      }
      case "call": return void this.#call(connection, command, ack, refused);
      case "ping": return ack();
      case "pong": return;
      default: return refused({ code: "unknown_action", status: 400 });
    }
  }

  #subscribe(connection: Connection, topic: string, since: Position | undefined): object {
    const log = this.#log(`topic:${topic}`);
    connection.topics.add(topic);
    if (log && since) this.#catchUp(connection, log, since);
    return log ? { position: log.position } : {};
  }

  #catchUp(connection: Connection, log: Log, since: Position): void {
    const { gap, messages } = log.since(since);
    if (gap) this.#send(connection, "gap", gap);
    for (const message of messages) connection.socket.deliver(message);
  }

  #resume(connection: Connection, since: Record<string, Position>): Record<string, Position> {
    const held = connection.held;
    connection.held = new Map();
    const streams: Record<string, Position> = {};
    for (const [stream, position] of new Map([...held, ...Object.entries(since)])) {
      const log = this.#logOf(connection, stream);
      if (!log) continue;
      if (stream.startsWith("topic:")) connection.topics.add(stream.slice(6));
      else if (!held.has(stream)) { this.#send(connection, "gap", { stream, to: log.position.offset, position: log.position, reason: "not_granted" }); continue; }
      this.#catchUp(connection, log, position);
      streams[stream] = log.position;
    }
    return streams;
  }

  #published({ topic, type, payload, idempotency_key: key }: any): object {
    const before = this.#keys.get(key);
    if (before) return { ...before, duplicate: true };
    const { id, offset } = this.publish(topic, type, payload);
    const position = offset === undefined ? {} : { position: this.#log(`topic:${topic}`)?.position };
    const result = { message: id, ...position };
    if (key !== undefined) this.#keys.set(key, result);
    return result;
  }

  #page(connection: Connection, { stream, since, limit = 100 }: any, ack: (fields: object) => void, refused: (refusal: Refusal) => void): void {
    const log = this.#logOf(connection, stream);
    if (!log) return refused({ code: "not_found", status: 404 });
    const after = since ? log.since(since) : { messages: log.page(Infinity) };
    if (after.gap) return refused({ code: "position_expired", status: 410 });
    ack({ position: log.position, publications: after.messages.slice(0, limit), more: after.messages.length > limit });
  }

  async #call(connection: Connection, { name, payload }: any, ack: (fields: object) => void, refused: (refusal: Refusal) => void): Promise<void> {
    const handler = this.#calls.get(name);
    if (!handler) return refused({ code: "unknown_action", status: 400 });
    try {
      ack({ result: (await handler(payload, connection.user)) ?? null });
    } catch (error) {
      refused({ code: "internal", status: 500, message: String(error) });
    }
  }
}
