// Carries out the effects of the machine: sockets, timers, the token provider. Events enter one at a time; events for
// the application leave through a queue, after the transition.
import { watchDevice } from "./lifecycle.js";
import { deliverable, step } from "./machine/step.js";
import type { Effect, Emission, Event, Failure, State, TokenReason } from "./machine/types.js";

export type TokenProvider = string | null | ((context: { reason: TokenReason }) => string | null | Promise<string | null>);

/** What a client needs of a WebSocket: browsers, Node 22 and the package `ws` have it. */
export interface Socket {
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  readonly readyState: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  terminate?(): void;
}

export type SocketConstructor = new (url: string, protocols: string[]) => Socket;

/** Time, timers and randomness; a test has its own. */
export interface Clock {
  now(): number;
  random(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: any): void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};

/** A close handshake that takes longer is not waited for. */
const CLOSE_DEADLINE = 2_000;

export type Outgoing = Emission | (Effect & { type: "settle" | "load" });

export class Driver {
  readonly #inbox: Event[] = [];
  readonly #outbox: Outgoing[] = [];
  readonly #timers = new Map<string, unknown>();
  #stepping = false;
  #draining = false;
  #socket: Socket | undefined;
  #unwatch: (() => void) | undefined;

  constructor(
    readonly state: State,
    public token: TokenProvider,
    readonly url: string,
    readonly WebSocket: SocketConstructor,
    readonly clock: Clock,
    readonly deliver: (outgoing: Outgoing) => void,
  ) {}

  send(event: Event): void {
    this.#inbox.push(event);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next; (next = this.#inbox.shift()); ) {
        for (const effect of step(this.state, next, this.clock.now(), this.clock.random())) this.#run(effect);
      }
    } finally {
      this.#stepping = false;
    }
    this.#watch();
    this.#drain();
  }

  /** Emissions, in their order; a handler that sends events finds the state as it is. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    for (let next; (next = this.#outbox.shift()); ) {
      if ("type" in next || deliverable(this.state, next)) this.deliver(next);
    }
    this.#draining = false;
  }

  #watch(): void {
    const runs = this.state.phase !== "stopped";
    if (runs && !this.#unwatch) this.#unwatch = watchDevice((type) => this.send({ type }));
    if (runs || !this.#unwatch) return;
    this.#unwatch();
    this.#unwatch = undefined;
  }

  #run(effect: Effect): void {
    switch (effect.type) {
      case "emit": this.#outbox.push(effect.emission); break;
      case "settle": case "load": this.#outbox.push(effect); break;
      case "send": this.#write(JSON.stringify(effect.command)); break;
      case "dial": this.#dial(effect.n, effect.protocols, effect.query); break;
      case "drop": this.#drop(effect.code); break;
      case "disarm": this.#disarm(effect.timer); break;
      case "askToken": void this.#ask(effect.request, effect.reason); break;
      case "arm": {
        const { timer, key } = effect;
        this.#disarm(timer);
        this.#timers.set(timer, this.clock.setTimeout(() => { this.#timers.delete(timer); this.send({ type: "timer", timer, key }); }, effect.ms));
      }
    }
  }

  #disarm(timer: string): void {
    this.clock.clearTimeout(this.#timers.get(timer));
    this.#timers.delete(timer);
  }

  async #ask(request: number, reason: TokenReason): Promise<void> {
    try {
      // In a later turn, so that a provider in the application's code never runs inside a transition.
      const token = await Promise.resolve().then(() => (typeof this.token === "function" ? this.token({ reason }) : this.token));
      this.send({ type: "token", request, token });
    } catch (error) {
      this.send({ type: "tokenFailed", request, message: messageOf(error) });
    }
  }

  #dial(n: number, protocols: string[], query: Record<string, string>): void {
    const url = new URL(this.url);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    let socket: Socket;
    try {
      socket = new this.WebSocket(url.href, protocols);
    } catch (error) {
      this.send({ type: "closed", n, code: 1006, reason: messageOf(error) });
      return;
    }
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.send({ type: "frame", n, text: String(data) });
    socket.onclose = ({ code, reason }) => {
      this.#socket = undefined;
      this.send({ type: "closed", n, code, reason: String(reason ?? "") });
    };
    // The close that follows has all that is known; without a listener `ws` would throw.
    socket.onerror = () => {};
  }

  #write(text: string): void {
    // A socket that is closing has its close event still to come.
    if (this.#socket?.readyState === 1) this.#socket.send(text);
  }

  #drop(code: number): void {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = undefined;
    const ended = (): void => this.clock.clearTimeout(timer);
    const timer = this.clock.setTimeout(() => { socket.onclose = null; socket.terminate?.(); }, CLOSE_DEADLINE);
    socket.onmessage = null;
    socket.onclose = ended;
    try {
      socket.close(code);
    } catch {
      ended();
    }
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An error of the server or of the client; `code` is one of docs/protocol.md, "Error codes", or the client's own. */
export class RealtimeError extends Error {
  declare readonly code: string;
  declare readonly status: number;
  declare readonly retry: boolean;
  declare readonly afterMs: number | undefined;
  declare readonly errors: { path: string; message: string }[];

  constructor({ message, after_ms: afterMs, errors = [], ...rest }: Failure) {
    super(message);
    Object.assign(this, rest, { name: "RealtimeError", afterMs, errors });
  }
}
