// A subscription in the hands of the application, sets of handlers, and promises that no one must await.
import { RealtimeError } from "./driver.js";
import type { Failure, SubscriptionStatus } from "./machine/types.js";
import type { Ready, Subscription, SubscribeOptions } from "./options.js";

export class Handlers<T> {
  all: ((value: T) => unknown)[] = [];

  /** Returns its own remover. */
  add(handler: (value: T) => unknown): () => void {
    const own = (value: T): unknown => handler(value);
    this.all = [...this.all, own];
    return () => { this.all = this.all.filter((other) => other !== own); };
  }
}

/** A rejection that no one awaits is no error of the process. */
export class Deferred<T> {
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;
  readonly promise = new Promise<T>((resolve, reject) => { this.resolve = resolve; this.reject = reject; });

  constructor() {
    this.promise.catch(() => {});
  }
}

export class Handle implements Subscription {
  readonly handlers = new Handlers<SubscriptionStatus>();
  state: SubscriptionStatus = { phase: "pending" };
  #ready = new Deferred<Ready>();
  #leave: ((handle: Handle) => void) | undefined;

  constructor(readonly topic: string, readonly options: SubscribeOptions, leave: (handle: Handle) => void) {
    this.#leave = leave;
  }

  get ready(): Promise<Ready> {
    return this.#ready.promise;
  }

  onState(handler: (state: SubscriptionStatus) => unknown): () => void {
    return this.handlers.add(handler);
  }

  unsubscribe(): void {
    const leave = this.#leave;
    this.#leave = undefined;
    leave?.(this);
  }

  /** The next `ready` is another promise: the subscription may come to life again. */
  reject(failure: Failure): void {
    this.#ready.reject(new RealtimeError(failure));
    this.#ready = new Deferred();
    if (!this.#leave) this.#ready.reject(new RealtimeError(failure));
  }

  resolve(ready: Ready): void {
    this.#ready.resolve(ready);
  }
}
