// A subscription in the hands of the application, sets of handlers, and promises that no one must await.
import { RealtimeError } from "./driver.js";
import type { Failure, SubscriptionStatus } from "./machine/types.js";
import type { Ready, Subscription, SubscribeOptions } from "./options.js";

export type Handler<T = any> = (value: T) => unknown;
export type Remove = () => void;

/** Adds a handler; returns its own remover. */
export function add<T>(handlers: Set<Handler<T>>, handler: Handler<T>): Remove {
  const own: Handler<T> = (value) => handler(value);
  handlers.add(own);
  return () => void handlers.delete(own);
}

export interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** A rejection that no one awaits is no error of the process. */
export function deferred<T>(): Deferred<T> {
  const own = {} as Deferred<T>;
  own.promise = new Promise((resolve, reject) => Object.assign(own, { resolve, reject }));
  own.promise.catch(() => {});
  return own;
}

export class Handle implements Subscription {
  readonly handlers = new Set<Handler<SubscriptionStatus>>();
  state: SubscriptionStatus = { phase: "pending" };
  #ready = deferred<Ready>();
  #leave: (() => void) | undefined;

  constructor(readonly topic: string, readonly options: SubscribeOptions, leave: (handle: Handle) => void) {
    this.#leave = () => leave(this);
  }

  get ready(): Promise<Ready> {
    return this.#ready.promise;
  }

  onState(handler: Handler<SubscriptionStatus>): Remove {
    return add(this.handlers, handler);
  }

  unsubscribe(): void {
    const leave = this.#leave;
    this.#leave = undefined;
    leave?.();
  }

  update(status: SubscriptionStatus): void {
    this.state = status;
    if (status.phase === "live") this.#ready.resolve(status);
    if (status.phase === "ended") this.fail(status.error);
  }

  /** The next `ready` is another promise: the subscription may come to life again. */
  fail(failure: Failure): void {
    const error = new RealtimeError(failure);
    this.#ready.reject(error);
    this.#ready = deferred();
    if (!this.#leave) this.#ready.reject(error);
  }

  /** The client has stopped: what was live is not, until it starts again. */
  stop(failure: Failure): void {
    if (this.state.phase === "live") this.state = { phase: "pending" };
    this.fail(failure);
  }
}
