// Carries out the effects of the machine: sockets, timers, the token provider. Events enter one at a time; what is for
// the application leaves through a queue, after the transition.
import { watchDevice } from "./lifecycle.js";
import { STOPPED } from "./machine/phases.js";
import { deliverable, step, type Event } from "./machine/step.js";
import type { Actions, Emission, Failure, State, TokenReason } from "./machine/types.js";

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

/** How events get in. */
export type Send = (...event: Event) => void;

/** `ask`: the token provider. `deliver`: what is for the application. */
export function drive(state: State, url: string, WebSocket: SocketConstructor, clock: Clock, ask: (reason: TokenReason) => string | null | Promise<string | null>, deliver: (emission: Emission) => void): Send {
  const inbox: Event[] = [];
  const outbox: Emission[] = [];
  const timers = new Map<unknown, unknown>();
  let stepping = false;
  let draining = false;
  let socket: Socket | undefined;
  let unwatch: (() => void) | undefined;

  const actions: Actions = {
    askToken(request, reason) {
      void later(() => ask(reason), (token, failed) => send("token", request, token, failed));
    },
    dial(n, protocols, query) {
      const address = new URL(url);
      for (const name in query) address.searchParams.set(name, query[name] as string);
      try {
        socket = new WebSocket(address.href, protocols);
      } catch (error) {
        return send("closed", n, 1006, messageOf(error));
      }
      socket.onmessage = ({ data }) => send("frame", n, String(data));
      socket.onclose = ({ code, reason }) => {
        socket = undefined;
        send("closed", n, code, reason);
      };
      // The close that follows has all that is known; without a listener `ws` would throw.
      socket.onerror = () => {};
    },
    send(_n, command) {
      // A socket that is closing has its close event still to come.
      if (socket?.readyState === 1) socket.send(JSON.stringify(command));
    },
    drop() {
      const old = socket;
      if (!old) return;
      socket = undefined;
      const timer = clock.setTimeout(() => { old.onclose = null; old.terminate?.(); }, CLOSE_DEADLINE);
      old.onmessage = null;
      old.onclose = () => clock.clearTimeout(timer);
      old.close(1000);
    },
    arm(timer, key, ms) {
      actions.disarm(timer);
      timers.set(timer, clock.setTimeout(() => send("timer", timer, key), ms));
    },
    disarm(timer) {
      clock.clearTimeout(timers.get(timer));
      timers.delete(timer);
    },
  };

  function send(...event: Event): void {
    inbox.push(event);
    if (stepping) return;
    stepping = true;
    try {
      for (let next; (next = inbox.shift()); ) {
        for (const effect of step(state, next, clock.now(), clock.random())) {
          const [kind, ...rest] = effect;
          if (kind in actions) (actions[kind as keyof Actions] as (...rest: unknown[]) => void)(...rest);
          else outbox.push(effect as Emission);
        }
      }
    } finally {
      stepping = false;
    }
    if ((state.stage === STOPPED) === !!unwatch) unwatch = unwatch ? void unwatch() : watchDevice(send);
    drain();
  }

  /** In their order; a handler that sends events finds the state as it is. */
  function drain(): void {
    if (draining) return;
    draining = true;
    for (let next; (next = outbox.shift()); ) if (deliverable(state, next)) deliver(next);
    draining = false;
  }

  return send;
}

export function messageOf(error: any): string {
  return String(error?.message ?? error);
}

/** Runs a function of the application in a later turn, never inside a transition; then `done`, with why it failed. */
export async function later<T>(run: () => T | Promise<T>, done: (value?: T, failed?: string, error?: any) => void): Promise<void> {
  try {
    await undefined;
    done(await run());
  } catch (error) {
    done(undefined, messageOf(error), error);
  }
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
