// Tabs of one browser: locks and channels as the standards describe them, and tabs that end or freeze without a word.
import type { Browser, Channel } from "../src/shared/link.js";
import type { TestServer } from "../src/testing/index.js";
import type { TestSocket } from "../src/testing/socket.js";

interface Request { tab: FakeTab; run: () => Promise<void>; reject: (error: Error) => void; settle: () => void }

export class FakeBrowser {
  readonly #locks = new Map<string, { held: Request | undefined; queue: Request[] }>();
  readonly channels = new Set<FakeChannel>();
  /** From the request of a tab for its own lock to the browser, in milliseconds: tabs are processes of their own. */
  lockDelay = 0;

  /** Of one tab. */
  tab(server: TestServer): FakeTab {
    return new FakeTab(this, server);
  }

  request(tab: FakeTab, name: string, { signal, steal }: { signal?: AbortSignal; steal?: boolean }, run: () => Promise<void>): Promise<void> {
    const lock = this.#locks.get(name) ?? { held: undefined, queue: [] };
    this.#locks.set(name, lock);
    return new Promise((resolve, reject) => {
      const request: Request = { tab, run, reject, settle: resolve };
      if (steal && lock.held) {
        lock.held.reject(new Error("AbortError"));
        lock.held = undefined;
      }
      if (steal) lock.queue.unshift(request);
      else lock.queue.push(request);
      signal?.addEventListener("abort", () => {
        if (!lock.queue.includes(request)) return;
        lock.queue.splice(lock.queue.indexOf(request), 1);
        reject(new Error("AbortError"));
      });
      this.#grant(lock);
    });
  }

  #grant(lock: { held: Request | undefined; queue: Request[] }): void {
    queueMicrotask(() => {
      const next = lock.held ? undefined : lock.queue.shift();
      if (!next) return;
      lock.held = next;
      void next.run().then(() => {
        next.settle();
        if (lock.held !== next) return;
        lock.held = undefined;
        this.#grant(lock);
      });
    });
  }

  /** What the browser does when a tab ends. */
  release(tab: FakeTab): void {
    for (const lock of this.#locks.values()) {
      lock.queue = lock.queue.filter((request) => request.tab !== tab);
      if (lock.held?.tab === tab) lock.held = undefined;
      this.#grant(lock);
    }
  }
}

export class FakeTab implements Browser {
  seen = true;
  /** Runs no code: neither the channel nor the socket reach it. */
  frozen = false;
  #asked = false;
  readonly #channels: FakeChannel[] = [];
  readonly #sockets: TestSocket[] = [];
  readonly WebSocket: Browser["WebSocket"];

  constructor(private readonly browser: FakeBrowser, server: TestServer) {
    const sockets = this.#sockets;
    const tab = this;
    this.WebSocket = class {
      constructor(url: string, protocols: string[]) {
        const socket = new server.WebSocket(url, protocols);
        sockets.push(socket);
        let receive: typeof socket.onmessage = null;
        Object.defineProperty(socket, "onmessage", { set: (handler) => { receive = handler; }, get: () => (event: { data: string }) => { if (!tab.frozen) receive?.(event); } });
        return socket;
      }
    } as unknown as Browser["WebSocket"];
  }

  get locks(): Browser["locks"] {
    return {
      request: async (name, options, run) => {
        const own = !this.#asked && this.browser.lockDelay > 0;
        this.#asked = true;
        if (own) await new Promise((resolve) => setTimeout(resolve, this.browser.lockDelay));
        return this.browser.request(this, name, options, run);
      },
    };
  }

  visible(): boolean {
    return this.seen;
  }

  channel(name: string): Channel {
    const channel = new FakeChannel(this.browser, this, name);
    this.#channels.push(channel);
    return channel;
  }

  /** The tab is killed: nothing of it runs any more. */
  kill(): void {
    this.frozen = true;
    for (const channel of this.#channels) channel.close();
    for (const socket of this.#sockets) {
      socket.onclose = null;
      socket.end(1006, "");
    }
    this.browser.release(this);
  }
}

class FakeChannel implements Channel {
  onmessage: ((event: { data: unknown }) => void) | null = null;

  constructor(private readonly browser: FakeBrowser, private readonly tab: FakeTab, private readonly name: string) {
    browser.channels.add(this);
  }

  postMessage(message: unknown): void {
    if (this.tab.frozen) return;
    const copy = structuredClone(message);
    for (const other of this.browser.channels) {
      if (other === this || other.name !== this.name) continue;
      setTimeout(() => { if (this.browser.channels.has(other) && !other.tab.frozen) other.onmessage?.({ data: copy }); }, 0);
    }
  }

  close(): void {
    this.browser.channels.delete(this);
  }
}
