// Who is on a topic: a list that is kept while the client runs. After a reconnect it changes by the difference, and is
// never empty in between.
import type { Realtime, RealtimeError } from "./index.js";

export interface PresenceUser {
  user: string;
  /** Connections of the user when the list was made; a change of this number alone is not reported. */
  connections: number;
  metadata?: unknown;
}

export interface PresenceChange {
  joined: PresenceUser[];
  left: PresenceUser[];
  /** Users with new metadata. */
  updated: PresenceUser[];
}

export interface Presence {
  readonly topic: string;
  /** Resolves with the first whole list; rejects if the client may not watch the topic. */
  readonly ready: Promise<ReadonlyMap<string, PresenceUser>>;
  /** By user. */
  readonly users: ReadonlyMap<string, PresenceUser>;
  /** Number of users. */
  readonly count: number;
  /** Why the list is kept no more: the right was lost, or is missing. */
  readonly error: Error | undefined;
  onChange(handler: (change: PresenceChange, users: ReadonlyMap<string, PresenceUser>) => unknown): () => void;
  stop(): void;
}

/** A frame or a reply: changes, or a page of the whole list. */
interface Frame {
  topic: string;
  version: number;
  count: number;
  users?: PresenceUser[];
  joined?: PresenceUser[];
  left?: string[];
  updated?: PresenceUser[];
  next?: string;
  ended?: string;
}

/** Before a refused command is sent again, if the server says no time. */
const PAUSE = 1_000;

class Watcher implements Presence {
  users = new Map<string, PresenceUser>();
  count = 0;
  error: Error | undefined;
  readonly ready: Promise<ReadonlyMap<string, PresenceUser>>;
  #resolve!: (users: ReadonlyMap<string, PresenceUser>) => void;
  #reject!: (error: Error) => void;
  #handlers: ((change: PresenceChange, users: ReadonlyMap<string, PresenceUser>) => unknown)[] = [];
  /** While the list is read: the list so far, and the frames that came meanwhile. */
  #reading: { users: Map<string, PresenceUser>; version: number; frames: Frame[] } | undefined;
  /** Rises with each list that is read: a reply to an older one is dropped. */
  #turn = 0;
  #version = -1;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #removers: (() => void)[];

  constructor(readonly rt: Realtime<any>, readonly topic: string) {
    this.ready = new Promise((resolve, reject) => { this.#resolve = resolve; this.#reject = reject; });
    this.ready.catch(() => {});
    this.#removers = [
      rt.onState(({ phase }) => (phase === "connected" ? this.#read() : this.#interrupt())),
      rt.onFrame(({ type, payload }) => { if (type === "presence" && payload.topic === topic) this.#frame(payload); }),
    ];
    if (rt.state.phase === "connected") this.#read();
  }

  onChange(handler: (change: PresenceChange, users: ReadonlyMap<string, PresenceUser>) => unknown): () => void {
    this.#handlers = [...this.#handlers, handler];
    return () => { this.#handlers = this.#handlers.filter((other) => other !== handler); };
  }

  stop(): void {
    if (!this.#removers.length) return;
    const watches = this.rt.state.phase === "connected" && !this.error;
    this.#end(new Error("stop() was called"));
    if (watches) this.rt.command({ action: "presence", topic: this.topic, subscribe: false, limit: 1 }).catch(() => {});
  }

  #end(error: Error): void {
    this.#interrupt();
    this.error = error;
    for (const remove of this.#removers.splice(0)) remove();
    this.#reject(error);
  }

  #interrupt(): void {
    this.#turn += 1;
    this.#reading = undefined;
    clearTimeout(this.#timer);
  }

  #read(): void {
    this.#interrupt();
    this.#version = -1;
    this.#reading = { users: new Map(), version: -1, frames: [] };
    void this.#page(this.#turn, { subscribe: true });
  }

  async #page(turn: number, more: object): Promise<void> {
    try {
      const { presence } = await this.rt.command({ action: "presence", topic: this.topic, ...more });
      if (turn === this.#turn) this.#list(presence);
    } catch (failed) {
      const error = failed as RealtimeError;
      if (turn !== this.#turn) return;
      // A lost connection is followed by the next one, which reads the list again.
      if (error.retry) this.#timer = setTimeout(() => this.#read(), error.afterMs ?? PAUSE);
      else if (error.code !== "stopped") this.#end(error);
    }
  }

  /** A page of the list, from its beginning in the order of the names. */
  #list(page: Frame): void {
    const reading = (this.#reading ??= { users: new Map(), version: -1, frames: [] });
    if (reading.version < 0) reading.version = page.version;
    for (const user of page.users ?? []) reading.users.set(user.user, user);
    if (page.next !== undefined) return void this.#page(this.#turn, { after: page.next });
    this.#reading = undefined;
    this.#version = reading.version;
    const before = this.users;
    this.users = reading.users;
    this.count = page.count;
    for (const frame of reading.frames) this.#apply(frame);
    this.#resolve(this.users);
    this.#report({
      joined: [...this.users.values()].filter(({ user }) => !before.has(user)),
      left: [...before.values()].filter(({ user }) => !this.users.has(user)),
      updated: [...this.users.values()].filter(({ user, metadata }) => before.has(user) && JSON.stringify(before.get(user)?.metadata) !== JSON.stringify(metadata)),
    });
  }

  #frame(frame: Frame): void {
    if (frame.ended !== undefined) return this.#end(new Error(`the presence of ${this.topic} has ended: ${frame.ended}`));
    if (frame.users) {
      // The list as it is now, after changes that were left out.
      this.#interrupt();
      return this.#list(frame);
    }
    if (this.#reading) return void this.#reading.frames.push(frame);
    const left = (frame.left ?? []).flatMap((user) => this.users.get(user) ?? []);
    if (this.#apply(frame)) this.#report({ joined: frame.joined ?? [], left, updated: frame.updated ?? [] });
  }

  /** Versions rise on one connection: what is older than the list is in it. */
  #apply(frame: Frame): boolean {
    if (frame.version <= this.#version) return false;
    this.#version = frame.version;
    for (const user of [...(frame.joined ?? []), ...(frame.updated ?? [])]) this.users.set(user.user, user);
    for (const user of frame.left ?? []) this.users.delete(user);
    this.count = frame.count;
    return true;
  }

  #report(change: PresenceChange): void {
    if (!change.joined.length && !change.left.length && !change.updated.length) return;
    for (const handler of this.#handlers) {
      try {
        handler(change, this.users);
      } catch (error) {
        this.rt.report(error);
      }
    }
  }
}

/** Watches who is on a topic, until `stop`. The token must grant it, or the namespace must allow it. */
export function presence(rt: Realtime<any>, topic: string): Presence {
  return new Watcher(rt, topic);
}
