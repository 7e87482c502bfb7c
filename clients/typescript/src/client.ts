// The client that an application uses.
import { Driver, messageOf, RealtimeError, systemClock } from "./driver.js";
import type { Outgoing, SocketConstructor, TokenProvider } from "./driver.js";
import { Deferred, Handle, Handlers } from "./handle.js";
import { Listeners } from "./listeners.js";
import { deliverable, initial } from "./machine/step.js";
import { failure } from "./machine/out.js";
import type { Command, ConnectionState, Emission, Gap, Position, SubscriptionStatus } from "./machine/types.js";
import type { HistoryOptions, HistoryPage, Options, Published, PublishOptions, Session, SubscribeOptions, Subscription } from "./options.js";
import type { Known, MessageOf, PayloadOf, Topics, TypeOf, Untyped } from "./topics.js";

type Remove = () => void;

export class Realtime<M extends Topics = Untyped> {
  readonly #driver: Driver;
  readonly #listeners = new Listeners();
  readonly #states = new Handlers<ConnectionState>();
  readonly #gaps = new Handlers<Gap>();
  readonly #errors = new Handlers<Error>();
  readonly #frames = new Handlers<{ type: string; payload: any }>();
  readonly #handles = new Map<string, Set<Handle>>();
  readonly #results = new Map<unknown, Deferred<any>>();
  #ref = 0;

  constructor(options: Options) {
    const { session, clock = systemClock, WebSocket = (globalThis as any).WebSocket } = options;
    if (!WebSocket) throw new TypeError("there is no WebSocket here: give the class of the package `ws` as the option `WebSocket`");
    const state = initial({
      client: options.client ?? session?.client ?? randomName(),
      // The server remembers the ids of a `client` for a while: a page that is loaded again must not count from 1.
      firstId: Math.max(1, Math.floor(clock.now()) * 1_000),
      maxOffline: options.maxOffline ?? 100,
      maxOfflineBytes: 262_144,
    });
    if (session) {
      Object.assign(state, { ticket: session.ticket, user: session.user, welcomes: 1, positions: new Map(Object.entries(session.positions)) });
    }
    this.#driver = new Driver(state, options.token, new URL(options.url).href, WebSocket as SocketConstructor, clock, (outgoing) => this.#deliver(outgoing));
  }

  /** Connects, and stays connected until `stop`. A token or provider given here is used from now on. */
  start(token?: TokenProvider): this {
    if (token !== undefined) this.#driver.token = token;
    this.#driver.send({ type: "start" });
    return this;
  }

  /** Disconnects. Nothing is delivered afterwards; `start` continues where it stopped. */
  stop(): void {
    this.#driver.send({ type: "stop" });
  }

  /** Asks for a new token now, for example after the user gained a role. */
  refresh(): void {
    this.#driver.send({ type: "refresh" });
  }

  get state(): ConnectionState {
    return this.#driver.state.shown;
  }

  /** Each `on…` returns its own remover. */
  onState(handler: (state: ConnectionState) => unknown): Remove {
    return this.#states.add(handler);
  }

  /** Messages that this client can no longer receive, in their place between the messages. */
  onGap(handler: (gap: Gap) => unknown): Remove {
    return this.#gaps.add(handler);
  }

  /** Errors of handlers, and of what no call waits for. Without a handler they go to `reportError` or the console. */
  onError(handler: (error: Error) => unknown): Remove {
    return this.#errors.add(handler);
  }

  /** Control frames of an entry point of its own, such as `presence`. */
  onFrame(handler: (frame: { type: string; payload: any }) => unknown): Remove {
    return this.#frames.add(handler);
  }

  /** Listens to the messages of a topic or pattern, of every subscription. */
  on<const T extends string, K extends TypeOf<M, T>>(pattern: T & Known<M, T>, type: K, handler: (message: MessageOf<M, T, K>) => unknown): Remove;
  on<const T extends string>(pattern: T & Known<M, T>, handler: (message: MessageOf<M, T>) => unknown): Remove;
  on(pattern: string, type: any, handler?: any): Remove {
    return this.#listeners.add(pattern, handler && type, handler ?? type);
  }

  /** Counted: two subscribers of a topic are one on the wire, with the options of the first. */
  subscribe<const T extends string>(topic: T & Known<M, T>, options: SubscribeOptions = {}): Subscription {
    const handle = new Handle(topic, options, (left) => this.#leave(left));
    const handles = this.#handles.get(topic) ?? new Set();
    this.#handles.set(topic, handles.add(handle));
    this.#driver.send({ type: "subscribe", topic, since: options.since, load: !!options.getState });
    return handle;
  }

  #leave(handle: Handle): void {
    const { topic } = handle;
    const handles = this.#handles.get(topic);
    handles?.delete(handle);
    if (!handles?.size) this.#handles.delete(topic);
    handle.reject(failure("unsubscribed", "unsubscribe() was called"));
    this.#driver.send({ type: "unsubscribe", topic });
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
    const ref = ++this.#ref;
    const result = new Deferred<any>();
    this.#results.set(ref, result);
    this.#driver.send({ type: "command", ref, command });
    return result.promise;
  }

  /** Give it to the next page as the option `session`: that one continues where this one stopped. */
  session(): Session {
    const { options, ticket, user, positions } = this.#driver.state;
    const own = { client: options.client, positions: Object.fromEntries(positions) };
    return Object.assign(own, ticket && { ticket }, user && { user });
  }

  #deliver(outgoing: Outgoing): void {
    if ("kind" in outgoing) return this.#emit(outgoing);
    if (outgoing.type === "load") return void this.#load(outgoing.topic, outgoing.generation, outgoing.reason);
    const result = this.#results.get(outgoing.ref);
    this.#results.delete(outgoing.ref);
    if (outgoing.error) result?.reject(new RealtimeError(outgoing.error));
    else result?.resolve(outgoing.result);
  }

  #emit(emission: Emission): void {
    switch (emission.kind) {
      case "message": return this.#run(this.#listeners.of(emission.message), emission.message, emission);
      case "gap": return this.#run(this.#gaps.all, emission.gap, emission);
      case "frame": return this.#run(this.#frames.all, emission, emission);
      case "error": return this.report(new RealtimeError(emission.error));
      case "subscription": return this.#subscription(emission.topic, emission.generation, emission.status);
      case "state": {
        const { phase, reason } = emission.state;
        if (phase === "stopped") {
          for (const handle of this.#all()) handle.reject(failure("stopped", reason?.message ?? ""));
        }
        return this.#run(this.#states.all, emission.state, emission);
      }
    }
  }

  #all(): Handle[] {
    return [...this.#handles.values()].flatMap((handles) => [...handles]);
  }

  #subscription(topic: string, generation: number, status: SubscriptionStatus): void {
    if (this.#driver.state.subscriptions.get(topic)?.generation !== generation) return;
    for (const handle of this.#handles.get(topic) ?? []) {
      if (handle.state.phase === status.phase) continue;
      handle.state = status;
      if (status.phase === "live") handle.resolve(status);
      if (status.phase === "ended") handle.reject(status.error);
      this.#run(handle.handlers.all, status);
    }
  }

  async #load(topic: string, generation: number, reason: "first" | "gap"): Promise<void> {
    const getState = [...(this.#handles.get(topic) ?? [])].find((handle) => handle.options.getState)?.options.getState;
    try {
      const position = (await getState?.({ topic, reason })) ?? null;
      this.#driver.send({ type: "loaded", topic, generation, position });
    } catch (error) {
      this.#driver.send({ type: "loadFailed", topic, generation, message: messageOf(error) });
    }
  }

  /** Each handler for itself: one that throws, or rejects, ends nothing. */
  #run<T>(handlers: ((value: T) => unknown)[], value: T, emission?: Emission): void {
    for (const handler of handlers) {
      if (emission && !deliverable(this.#driver.state, emission)) return;
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
    const handlers = this.#errors.all;
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
