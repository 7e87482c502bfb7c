// The client that an application uses.
import { drive, later, RealtimeError, systemClock } from "./driver.js";
import type { Send, SocketConstructor, TokenProvider } from "./driver.js";
import { add, deferred, Handle, type Handler, type Remove } from "./handle.js";
import { addressOf, matches } from "./listeners.js";
import { failure } from "./machine/context.js";
import { deliverable, initial } from "./machine/step.js";
import type { Command, ConnectionState, Emission, Gap, Message, Position, Session, State, Stream, TokenReason } from "./machine/types.js";
import type { HistoryOptions, HistoryPage, Options, Published, PublishOptions, SubscribeOptions, Subscription } from "./options.js";
import type { Known, MessageOf, PayloadOf, PublicationOf, Topics, TypeOf, Untyped } from "./topics.js";

export class Realtime<M extends Topics = Untyped> {
  readonly #state: State;
  readonly #send: Send;
  #token: TokenProvider;
  readonly #handlers = { state: new Set<Handler>(), gap: new Set<Handler>(), error: new Set<Handler>(), frame: new Set<Handler>(), message: new Set<Handler>() };

  constructor({ url, token, client, maxOffline = 100, session, clock = systemClock, WebSocket = (globalThis as any).WebSocket }: Options) {
    if (!WebSocket) throw new TypeError("no WebSocket here: give the class of the package `ws` as the option `WebSocket`");
    // The server remembers the ids of a `client` for a while: a page that is loaded again must not count from 1.
    const nextId = Math.floor(clock.now()) * 1_000 + 1;
    this.#state = initial({ client: client ?? session?.client ?? randomName(), nextId, maxOffline, maxOfflineBytes: 262_144 }, session);
    this.#token = token;
    const ask = (reason: TokenReason): any => (typeof this.#token === "function" ? this.#token({ reason }) : this.#token);
    this.#send = drive(this.#state, new URL(url).href, WebSocket as SocketConstructor, clock, ask, (emission) => this.#deliver(emission));
  }

  /** Connects, and stays connected until `stop`. A token or provider given here is used from now on. */
  start(token?: TokenProvider): this {
    if (token !== undefined) this.#token = token;
    this.#send("start");
    return this;
  }

  /** Disconnects. Nothing is delivered afterwards; `start` continues where it stopped. */
  stop(): void {
    this.#send("stop");
  }

  /** If the client waits for its next attempt, it begins now. */
  retry(): void {
    this.#send("online");
  }

  /** Asks for a new token now, for example after the user gained a role. */
  refresh(): void {
    this.#send("refresh");
  }

  get state(): ConnectionState {
    return this.#state.shown;
  }

  /** Each `on…` returns its own remover. */
  onState(handler: (state: ConnectionState) => unknown): Remove {
    return add(this.#handlers.state, handler);
  }

  /** Messages that this client can no longer receive, in their place between the messages. */
  onGap(handler: (gap: Gap) => unknown): Remove {
    return add(this.#handlers.gap, handler);
  }

  /** Errors of handlers, and of what no call waits for. Without a handler they go to `reportError` or the console. */
  onError(handler: (error: Error) => unknown): Remove {
    return add(this.#handlers.error, handler);
  }

  /** Control frames of an entry point of its own, such as `presence`. */
  onFrame(handler: (frame: { type: string; payload: any }) => unknown): Remove {
    return add(this.#handlers.frame, handler);
  }

  /** Listens to the messages of a topic or pattern, of every subscription. */
  on<const T extends string, K extends TypeOf<M, T>>(pattern: T & Known<M, T>, type: K, handler: (message: MessageOf<M, T, K>) => unknown): Remove;
  on<const T extends string>(pattern: T & Known<M, T>, handler: (message: MessageOf<M, T>) => unknown): Remove;
  on(pattern: string, ...rest: any[]): Remove {
    const handler: Handler = rest.pop();
    const [type] = rest;
    return add(this.#handlers.message, (message: Message) => {
      if ((type === undefined || type === message.type) && matches(pattern, addressOf(message))) return handler(message);
      return undefined;
    });
  }

  /** Counted: two subscribers of a topic are one on the wire, with the options of the first. */
  subscribe<const T extends string>(topic: T & Known<M, T>, options: SubscribeOptions = {}): Subscription {
    const handle = new Handle(topic, options, (left) => {
      left.fail(failure("unsubscribed", "unsubscribe() was called"));
      this.#send("unsubscribe", topic, left);
    });
    this.#send("subscribe", topic, handle, options.since, !!options.getState);
    return handle;
  }

  /** Published once, however often the connection is lost meanwhile. Waits for a connection, in a bounded queue. */
  publish<const T extends string, K extends TypeOf<M, T>>(topic: T & Known<M, T>, type: K, payload: PayloadOf<M, T, K>, options: PublishOptions = {}): Promise<Published> {
    const { idempotencyKey = randomName(), echo } = options;
    return this.command({ action: "publish", topic, type, payload, idempotency_key: idempotencyKey, echo });
  }

  /** Calls the application behind the server. It is sent once; if the connection is lost meanwhile, it rejects. */
  async call(name: string, payload?: unknown): Promise<any> {
    return (await this.command({ action: "call", name, payload })).result;
  }

  /** A page of a stream's history, such as of `topic:order:123`: a stream, so a topic is written with `topic:` before it. */
  history<const S extends string>(stream: S, options: HistoryOptions = {}): Promise<HistoryPage<PublicationOf<M, S>>> {
    return this.command({ action: "history", stream, ...options });
  }

  /** Where a stream stands: read it before you load your state. */
  async position(stream: string): Promise<Position> {
    return (await this.history(stream, { limit: 0 })).position;
  }

  /** Any command of docs/protocol.md. Resolves with the payload of its `ack`. */
  command(command: Command): Promise<any> {
    const result = deferred<any>();
    this.#send("command", result, command, JSON.stringify(command).length);
    return result.promise;
  }

  /** Give it to the next page as the option `session`: that one continues where this one stopped. */
  session(): Session {
    const { client, ticket, user, table } = this.#state;
    const positions = [...table.values()].flatMap(({ name, at }) => (at ? [[name, at]] : []));
    return { client, positions: Object.fromEntries(positions), ...(ticket && { ticket }), ...(user && { user }) };
  }

  #deliver(emission: Emission): void {
    const [kind, value, stream] = emission;
    switch (kind) {
      case "settle": return value.error ? value.ref.reject(new RealtimeError(value.error)) : value.ref.resolve(value.result);
      case "load": {
        const { loading, topic, handles } = stream as Stream & { topic: string };
        const { getState } = ([...handles] as Handle[]).find(({ options }) => options.getState)?.options ?? {};
        return void later(() => getState?.({ topic, reason: value }), (position = null, failed?, error?) => this.#send("loaded", stream as Stream, loading, position, failed, error));
      }
      case "error": return this.report(new RealtimeError(value));
      case "status":
        for (const handle of [...(stream as Stream).handles] as Handle[]) {
          if (handle.state.phase === value.phase) continue;
          handle.update(value);
          this.#run(handle.handlers, value, emission);
        }
        return;
      case "state":
        if (value.phase === "stopped") {
          const error = failure("stopped", value.reason?.message ?? "");
          for (const { handles } of this.#state.table.values()) for (const handle of handles as Set<Handle>) handle.stop(error);
        }
    }
    this.#run(this.#handlers[kind], value, emission);
  }

  /** Each handler for itself: one that throws, or rejects, ends nothing. */
  #run(handlers: Set<Handler>, value: unknown, emission: Emission): void {
    for (const handler of [...handlers]) {
      if (!deliverable(this.#state, emission)) return;
      try {
        const returned: any = handler(value);
        returned?.then?.(undefined, (error: unknown) => this.report(error));
      } catch (error) {
        this.report(error);
      }
    }
  }

  /** Hands an error to `onError`, as that of a handler. */
  report(error: unknown): void {
    const handlers = [...this.#handlers.error];
    const fallback = (globalThis as any).reportError ?? console.error;
    const reported = error instanceof Error ? error : new Error(String(error));
    if (!handlers.length) fallback(reported);
    for (const handler of handlers) {
      try {
        handler(reported);
      } catch (own) {
        fallback(own);
      }
    }
  }
}

/** 128 random bits. `crypto.randomUUID` is missing on pages without TLS. */
function randomName(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

/** A client that has been started. */
export function connect<M extends Topics = Untyped>(options: Options): Realtime<M> {
  return new Realtime<M>(options).start();
}
