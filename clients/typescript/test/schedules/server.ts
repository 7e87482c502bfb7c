// A model of the server, as docs/protocol.md describes it: logs, tickets, the hold, resume, gaps, refusals, closes.
import type { Position } from "../../src/machine/types.js";
import { Log } from "./log.js";
import type { Random } from "./random.js";

export const TOPICS = ["short", "long", "plain"] as const;
export const OWN = ["user", "all", "role:staff"] as const;
const HOLD = 2_000;

/** The server's end of a connection. Frames and the close go to `out`, in order. */
export interface Connection {
  out: (frame: any) => void;
  close: (code: number, closing?: any) => void;
  token: string;
  user: string;
  topics: Set<string>;
  /** Streams that stand still until `resume`, with their position in `welcome`. */
  held: Map<string, Position>;
  holdUntil: number;
  roles: string[];
  closed: boolean;
}

export class ModelServer {
  readonly logs = new Map<string, Log>();
  readonly connections = new Set<Connection>();
  /** Idempotency key → how often it was published. */
  readonly published: { key: string; payload: number }[] = [];
  #n = 0;
  #secret = 1;
  #id = 0;
  /** Tokens expire at the time that their text names. */
  staff = true;

  constructor(readonly random: Random, readonly now: () => number) {
    this.logs.set("topic:short", new Log(4));
    this.logs.set("topic:long", new Log(1_000));
    for (const stream of OWN) this.logs.set(stream, new Log(stream === "all" ? 4 : 1_000));
  }

  admit(connection: Connection, ticket: string | undefined): void {
    const expires = Number(connection.token.split("@")[1]) - this.now();
    if (expires <= 0) return connection.close(4610, { code: 4610, reason: "the token has expired", reconnect: true, after_ms: 0, spread_ms: 0 });
    connection.roles = this.staff ? ["staff"] : [];
    const own = OWN.filter((stream) => stream !== "role:staff" || this.staff);
    const streams = Object.fromEntries(own.map((stream) => [stream, this.#log(stream).position]));
    const resumed = ticket === `${this.#secret}:${connection.user}`;
    if (resumed) {
      connection.held = new Map(Object.entries(streams));
      connection.holdUntil = this.now() + HOLD;
    }
    this.connections.add(connection);
    connection.out({
      type: "welcome",
      payload: {
        user: connection.user, roles: connection.roles, streams, resumed, resume: `${this.#secret}:${connection.user}`, hold_ms: HOLD,
        ping_ms: 5_000, token_expires_in_ms: expires, reconnect: { min_ms: 250, max_ms: 5_000, spread_ms: 500 }, limits: { burst: 8 },
      },
    });
  }

  #log(stream: string): Log {
    return this.logs.get(stream) as Log;
  }

  publish(stream: string): void {
    const n = ++this.#n;
    const entry = this.logs.get(stream)?.append(n, this.random.chance(0.2) ? 1 : 0);
    const topic = stream.startsWith("topic:") ? { topic: stream.slice(6) } : {};
    for (const connection of this.connections) {
      if (this.#receives(connection, stream)) connection.out(this.#frame(n, topic, entry ? { stream, offset: entry.offset } : {}));
    }
  }

  #frame(n: number, topic: object, place: object): any {
    return { type: "news", payload: n, timestamp: "", id: `m${++this.#id}`, ...topic, ...place };
  }

  #receives(connection: Connection, stream: string): boolean {
    if (connection.closed || connection.held.has(stream)) return false;
    if (stream.startsWith("topic:")) return connection.topics.has(stream.slice(6));
    return !stream.startsWith("role:") || connection.roles.includes(stream.slice(5));
  }

  /** The hold ends by itself. */
  tick(): void {
    for (const connection of this.connections) {
      if (connection.held.size && this.now() >= connection.holdUntil) {
        const held = [...connection.held];
        connection.held.clear();
        for (const [stream, at] of held) {
          connection.out(gapFrame(stream, at, "hold_expired"));
          this.#catchUp(connection, stream, at);
        }
      }
      const expires = Number(connection.token.split("@")[1]);
      if (this.now() >= expires) this.end(connection, 4610, "the token has expired");
      else if (this.random.chance(0.3)) connection.out({ type: "ping", payload: {} });
    }
  }

  end(connection: Connection, code: number, reason: string, closing = {}): void {
    this.connections.delete(connection);
    connection.closed = true;
    connection.close(code, { code, reason, reconnect: true, after_ms: 0, spread_ms: 0, ...closing });
  }

  /** What comes after a position: the messages, or a gap in their place. */
  #catchUp(connection: Connection, stream: string, since: Position): void {
    const log = this.#log(stream);
    let from = since.offset;
    if (since.epoch !== log.epoch || since.offset < log.trimmed) {
      const reason = since.epoch !== log.epoch ? "epoch" : "retention";
      connection.out(gapFrame(stream, { epoch: log.epoch, offset: log.trimmed }, reason));
      from = log.trimmed;
    }
    const topic = stream.startsWith("topic:") ? { topic: stream.slice(6) } : {};
    for (const entry of log.after(from)) connection.out(this.#frame(entry.n, topic, { stream, offset: entry.offset }));
  }

  command(connection: Connection, command: any): void {
    if (connection.closed) return;
    const { action, id, topic } = command;
    const ack = (rest = {}) => connection.out({ type: "ack", payload: { id, ...rest } });
    const refuse = (code: string, status: number, retry: boolean, rest = {}) => connection.out({ type: "error", payload: { id, code, status, retry, message: code, ...rest } });
    if (action !== "resume" && action !== "pong" && this.random.chance(0.08)) return refuse("rate_limited", 429, true, { after_ms: 200 + this.random.below(500) });
    switch (action) {
      case "pong": return;
      case "subscribe": return ack(this.#subscribe(connection, topic, command.since));
      case "unsubscribe": connection.topics.delete(topic); return ack();
      case "resume": return this.#resume(connection, command.since, ack);
      case "refresh": {
        connection.token = command.token;
        const left = Number(command.token.split("@")[1]) - this.now();
        return left > 0 ? ack({ token_expires_in_ms: left, roles: connection.roles }) : refuse("token_expired", 401, false);
      }
      case "publish":
        if (!this.published.some(({ key }) => key === command.idempotency_key)) {
          this.published.push({ key: command.idempotency_key, payload: command.payload });
          return ack({ message: command.idempotency_key });
        }
        return ack({ message: command.idempotency_key, duplicate: true });
      default: return ack();
    }
  }

  #subscribe(connection: Connection, topic: string, since: Position | undefined): object {
    const stream = `topic:${topic}`;
    const log = this.logs.get(stream);
    connection.topics.add(topic);
    if (log && since) this.#catchUp(connection, stream, since);
    return log ? { position: log.position } : {};
  }

  #resume(connection: Connection, since: Record<string, Position>, ack: (rest: object) => void): void {
    const streams: Record<string, Position> = {};
    for (const [stream, at] of Object.entries(since)) {
      const log = this.logs.get(stream);
      if (!log) continue;
      if (stream.startsWith("topic:")) {
        connection.topics.add(stream.slice(6));
        this.#catchUp(connection, stream, at);
      } else if (connection.held.has(stream)) {
        connection.held.delete(stream);
        this.#catchUp(connection, stream, at);
      } else {
        if (stream === "role:staff" && !connection.roles.includes("staff")) continue;
        connection.out(gapFrame(stream, log.position, "not_granted"));
      }
      streams[stream] = log.position;
    }
    for (const [stream, at] of connection.held) {
      connection.held.delete(stream);
      this.#catchUp(connection, stream, at);
      streams[stream] = this.#log(stream).position;
    }
    ack({ streams });
  }

  /** A client that reads too slowly loses the next message of a stream without a log. */
  forget(connection: Connection): void {
    connection.out({ type: "gap", payload: { stream: "topic:plain", missed: 1, reason: "slow_consumer" } });
  }

  /** `kill -9`, with or without a data directory. */
  kill(durable: boolean): void {
    for (const connection of [...this.connections]) {
      this.connections.delete(connection);
      connection.closed = true;
      connection.close(1006);
    }
    if (durable) return;
    this.#secret += 1;
    for (const log of this.logs.values()) log.lose();
  }
}

function gapFrame(stream: string, position: Position, reason: string): any {
  return { type: "gap", payload: { stream, to: position.offset, position, reason } };
}
