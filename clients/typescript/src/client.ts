// The client that an application uses.
import { drive, messageOf, RealtimeError, systemClock } from "./driver.js";
import type { Driver, SocketConstructor, TokenProvider } from "./driver.js";
import { add, deferred, Handle, type Handler, type Remove } from "./handle.js";
import { addressOf, matches } from "./listeners.js";
import { failure } from "./machine/context.js";
import { deliverable, initial } from "./machine/step.js";
import type { Command, ConnectionState, Emission, Gap, Message, Position, State, Subscription as Subscribed } from "./machine/types.js";
import type { HistoryOptions, HistoryPage, Options, Published, PublishOptions, Session, SubscribeOptions, Subscription } from "./options.js";
import type { Known, MessageOf, PayloadOf, Topics, TypeOf, Untyped } from "./topics.js";

export class Realtime<M extends Topics = Untyped> {
  readonly #state: State;
  readonly #driver: Driver;
  readonly #handlers = { state: new Set<Handler>(), gap: new Set<Handler>(), error: new Set<Handler>(), frame: new Set<Handler>(), message: new Set<Handler>() };

  constructor({ url, token, client, maxOffline = 100, session, clock = systemClock, WebSocket = (globalThis as any).WebSocket }: Options) {
    if (!WebSocket) throw new TypeError("there is no WebSocket here: give the class of the package `ws` as the option `WebSocket`");
    this.#state = initial({
      client: client ?? session?.client ?? randomName(),
      // The server remembers the ids of a `client` for a while: a page that is loaded again must not count from 1.
      nextId: Math.floor(clock.now()) * 1_000 + 1,
      maxOffline,
      maxOfflineBytes: 262_144,
    });
    if (session) {
      const { ticket, user, positions } = session;
      Object.assign(this.#state, { ticket, user, welcomes: 1, positions: new Map(Object.entries(positions)) });
    }
    this.#driver = drive(this.#state, new URL(url).href, WebSocket as SocketConstructor, clock, (emission) => this.#deliver(emission));
    this.#driver.token = token;
  }

  /** Connects, and stays connected until `stop`. A token or provider given here is used from now on. */
  start(token?: TokenProvider): this {
    if (token !== undefined) this.#driver.token = token;
    this.#driver.send("start");
    return this;
  }

  /** Disconnects. Nothing is delivered afterwards; `start` continues where it stopped. */
  stop(): void {
    this.#driver.send("stop");
  }

  /** Asks for a new token now, for example after the user gained a role. */
  refresh(): void {
    this.#driver.send("refresh");
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
      left.reject(failure("unsubscribed", "unsubscribe() was called"));
      this.#driver.send("unsubscribe", topic, left);
    });
    this.#driver.send("subscribe", topic, handle, options.since, !!options.getState);
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

  /** A page of a stream's history, such as of `topic:order:123`. */
  history(stream: string, options: HistoryOptions = {}): Promise<HistoryPage> {
    return this.command({ action: "history", stream, ...options });
  }

  /** Where a stream stands: read it before you load your state. */
  async position(stream: string): Promise<Position> {
    return (await this.history(stream, { limit: 0 })).position;
  }

  /** Any command of docs/protocol.md. Resolves with the payload of its `ack`. */
  command(command: Command): Promise<any> {
    const result = deferred<any>();
    this.#driver.send("command", result, command, JSON.stringify(command).length);
    return result.promise;
  }

  /** Give it to the next page as the option `session`: that one continues where this one stopped. */
  session(): Session {
    const { client, ticket, user, positions } = this.#state;
    return { client, positions: Object.fromEntries(positions), ...(ticket && { ticket }), ...(user && { user }) };
  }

  #deliver(emission: Emission): void {
    const [kind, value, sub] = emission;
    switch (kind) {
      case "settle": return value.error ? value.ref.reject(new RealtimeError(value.error)) : value.ref.resolve(value.result);
      case "load": return void this.#load(sub as Subscribed, value);
      case "error": return this.report(new RealtimeError(value));
      case "status":
        for (const handle of [...(sub as Subscribed).handles] as Handle[]) {
          if (handle.state.phase === value.phase) continue;
          handle.state = value;
          if (value.phase === "live") handle.resolve(value);
          if (value.phase === "ended") handle.reject(value.error);
          this.#run(handle.handlers, value, emission);
        }
        return;
      case "state":
        if (value.phase === "stopped") {
          const error = failure("stopped", value.reason?.message ?? "");
          for (const { handles } of this.#state.subscriptions.values()) for (const handle of handles as Set<Handle>) handle.stop(error);
        }
    }
    this.#run(this.#handlers[kind], value, emission);
  }

  async #load(sub: Subscribed, reason: "first" | "gap"): Promise<void> {
    const { load, topic } = sub;
    try {
      const { getState } = ([...sub.handles] as Handle[]).find(({ options }) => options.getState)?.options ?? {};
      this.#driver.send("loaded", sub, load, (await getState?.({ topic, reason })) ?? null);
    } catch (error) {
      this.#driver.send("loaded", sub, load, null, messageOf(error));
    }
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
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => (byte + 256).toString(16).slice(1)).join("");
}

/** A client that has been started. */
export function connect<M extends Topics = Untyped>(options: Options): Realtime<M> {
  return new Realtime<M>(options).start();
}
