// A tab's way to the server: through its own hub while it holds the lock, else through that of another tab. The client sees
// a WebSocket.
import type { SocketConstructor, Socket, TokenProvider } from "../driver.js";
import type { Position, TokenReason } from "../machine/types.js";
import { Election, holdWhileAlive, whenFree, type Locks } from "./election.js";
import { Hub } from "./hub.js";
import { control, randomName, type ToHub, type ToTabs } from "./wire.js";

export type Shared = "leader" | "follower" | "alone";

export interface Channel {
  onmessage: ((event: any) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** What a browser has, and a test replaces. */
export interface Browser {
  locks: Locks;
  channel(name: string): Channel;
  /** Whether the page is in view. */
  visible(): boolean;
  WebSocket: SocketConstructor;
}

/** For the reply of the tab that holds the lock: after it, a page in view takes over. */
const SILENT = 1_500;
/** The machine gives up after 10 s: before that, also a page that is not in view takes over. */
const SILENT_HIDDEN = 8_000;
/** In the place of a token, where another tab has it. */
const NO_TOKEN = "shared";
/** Reconnects at once. */
const AT_ONCE = { after_ms: 1, spread_ms: 0 };

/** What the client of this tab gives to its link. */
export interface Owner {
  positions(): Record<string, Position>;
  retry(): void;
  changed(): void;
}

export class Link {
  readonly tab = randomName();
  readonly #election: Election;
  #channel: Channel | undefined;
  #alive: ReturnType<typeof holdWhileAlive> | undefined;
  #hub: Hub | undefined;
  /** The hub that this tab knows of, and the one before this tab's own. */
  #known: string | undefined;
  #previous: string | undefined;
  #socket: LinkSocket | undefined;
  /** A ticket belongs to a client name: the next tab with the socket takes both. */
  #identity: Record<string, string> = {};
  #ended: { code: number | string; reason: string } | undefined;
  /** Calls that wait for a hub. */
  #found = new Set<() => void>();
  readonly #watched = new Set<string>();

  constructor(private readonly browser: Browser, private readonly name: string, private readonly user: string, private readonly owner: Owner) {
    this.#election = new Election(browser.locks, name, () => this.#lead(), () => this.#deposed());
  }

  get role(): Shared {
    return this.#hub ? "leader" : "follower";
  }

  /** The token of the tab with the socket. Another one is asked only for a refresh. */
  async token(provider: TokenProvider, reason: TokenReason): Promise<string | null> {
    this.#join();
    if (reason !== "expiring") await this.#findHub();
    if (!this.#hub && reason !== "expiring") return NO_TOKEN;
    return typeof provider === "function" ? provider({ reason }) : provider;
  }

  /** The constructor that the client uses. */
  get WebSocket(): SocketConstructor {
    const link = this;
    return class extends LinkSocket {
      constructor(url: string, protocols: string[]) {
        super();
        link.#dial(this, url, protocols);
      }
    };
  }

  #join(): void {
    if (this.#channel) return;
    this.#alive = holdWhileAlive(this.browser.locks, `${this.name}:${this.tab}`);
    this.#channel = this.browser.channel(this.name);
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    this.#election.join();
  }

  /** The client has stopped, or its page is frozen: another tab goes on. */
  leave(end?: { code: number | string; message: string }): void {
    if (!this.#channel) return;
    const hub = this.#hub;
    if (hub && end) this.#post({ kind: "end", hub: hub.id, ...end });
    const socket = this.#socket;
    socket?.finish(1006, "this tab has left", AT_ONCE);
    this.#hub = this.#known = this.#socket = undefined;
    hub?.end();
    this.#election.leave();
    this.#channel.onmessage = null;
    this.#channel.close();
    this.#channel = undefined;
    this.#alive?.release();
    this.#watched.clear();
    this.owner.changed();
  }

  #post(message: ToHub | ToTabs): void {
    this.#channel?.postMessage(message);
  }

  /**
   * Asks who has the connection: that tab replies, and waits for the positions of this one. It also waits for the lock of
   * this tab, and must not get it first: it would take this tab for one that has ended.
   */
  #who(): void {
    void this.#alive?.held.then(() => this.#post({ kind: "who", tab: this.tab }));
  }

  /** Until a tab with the lock is known. One that does not reply loses the lock. */
  async #findHub(): Promise<void> {
    await this.#alive?.held;
    const deadline = Date.now() + SILENT_HIDDEN;
    while (!this.#hub && !this.#known && this.#channel) {
      this.#who();
      await new Promise<void>((resolve) => {
        const found = (): void => {
          clearTimeout(timer);
          this.#found.delete(found);
          resolve();
        };
        const timer = setTimeout(found, SILENT);
        this.#found.add(found);
      });
      if (!this.#hub && !this.#known) this.#stealIf(Date.now() >= deadline);
    }
  }

  #stealIf(late: boolean): void {
    if (late || this.browser.visible()) this.#election.steal();
  }

  #announce(): void {
    for (const found of [...this.#found]) found();
  }

  #lead(): void {
    const before = this.#socket;
    this.#previous = this.#known;
    this.#known = undefined;
    const post = (message: ToTabs): void => this.#post(message);
    this.#hub = new Hub(randomName(), this.user, this.browser.WebSocket, post);
    this.#post({ kind: "hub", hub: this.#hub.id });
    this.#announce();
    this.owner.changed();
    before?.finish(1006, "the tab with the connection has ended", AT_ONCE);
  }

  /** Another tab took the lock, because this one did not reply. */
  #deposed(): void {
    const hub = this.#hub;
    const socket = this.#socket;
    this.#hub = undefined;
    hub?.end();
    socket?.finish(1006, "another tab has the connection now", AT_ONCE);
    this.#election.join();
    // Now: a timer of a tab that is not in view would be late.
    this.#who();
    this.owner.changed();
  }

  #dial(socket: LinkSocket, url: string, protocols: string[]): void {
    this.#socket = socket;
    socket.onend = () => { if (this.#socket === socket) this.#socket = undefined; };
    const end = this.#ended;
    this.#ended = undefined;
    if (end) return void queueMicrotask(() => socket.finish(1006, end.reason, { ...end, reconnect: false }));
    if (this.#hub) return this.#connect(this.#hub, socket, url, protocols);
    const hub = this.#known;
    if (!hub) return void queueMicrotask(() => socket.finish(1006, "no tab has the connection", AT_ONCE));
    const port = `${this.tab}:${randomName()}`;
    socket.bind(hub, port, (text) => this.#post({ kind: "command", hub, port, text }), () => this.#post({ kind: "bye", hub, port }));
    this.#post({ kind: "hello", hub, tab: this.tab, port });
    socket.unanswered = setTimeout(() => {
      this.#known = undefined;
      socket.finish(1006, "the tab with the connection does not reply", AT_ONCE);
    }, SILENT);
  }

  #connect(hub: Hub, socket: LinkSocket, url: string, protocols: string[]): void {
    // Became the tab with the socket after it was asked for a token.
    if (protocols[1] === `bearer.${NO_TOKEN}`) return void queueMicrotask(() => socket.finish(1006, "this tab has the connection now", AT_ONCE));
    const address = new URL(url);
    for (const name in this.#identity) address.searchParams.set(name, this.#identity[name] as string);
    const { send, close } = hub.connect(address.href, protocols, this.tab, (text) => this.#frame(socket, text), (code, reason) => socket.finish(code, reason));
    socket.bind(hub.id, "own", send, close);
  }

  #receive(message: ToHub | ToTabs): void {
    const hub = this.#hub;
    if (message.kind === "who") {
      if (!hub) return;
      this.#watch(message.tab);
      hub.expected.add(message.tab);
      return this.#post({ kind: "hub", hub: hub.id, tab: message.tab });
    }
    if (message.kind === "hello" || message.kind === "command" || message.kind === "bye") {
      if (message.hub !== hub?.id) return;
      if (message.kind === "hello") this.#watch(message.tab);
      return hub.receive(message, !this.browser.visible());
    }
    this.#fromHub(message);
  }

  #watch(tab: string): void {
    if (this.#watched.has(tab)) return;
    this.#watched.add(tab);
    whenFree(this.browser.locks, `${this.name}:${tab}`, () => {
      this.#watched.delete(tab);
      this.#hub?.forget(tab);
    });
  }

  #fromHub(message: ToTabs): void {
    const socket = this.#socket;
    const bound = socket?.hub === message.hub;
    switch (message.kind) {
      case "hub":
        if (message.tab !== undefined && message.tab !== this.tab) return;
        if (this.#hub) return;
        if (message.tab === undefined) this.#who();
        this.#known = message.hub;
        if (bound) clearTimeout(socket?.unanswered);
        this.#announce();
        if (!bound) socket?.finish(1006, "another tab has the connection now", AT_ONCE);
        return;
      case "up":
        if (this.#known === message.hub && !socket) this.owner.retry();
        return;
      case "down":
        if (!bound || socket?.port !== message.port) return;
        socket.finish(1006, "the tab with the connection is connecting");
        if (message.hidden && this.browser.visible()) this.#election.steal();
        return;
      case "frame":
        if (bound && socket && message.ports.includes(socket.port)) this.#frame(socket, message.text);
        return;
      case "close":
        if (bound && socket && message.ports.includes(socket.port)) socket.finish(1006, message.reason, AT_ONCE);
        return;
      case "ticket":
        if (this.#known === message.hub) this.#identity.resume = message.ticket;
        return;
      case "end": {
        if (message.hub !== this.#known && message.hub !== this.#previous) return;
        const reason = { code: message.code, reason: message.message };
        if (socket) return socket.finish(1006, reason.reason, { ...reason, reconnect: false });
        this.#ended = reason;
        this.owner.retry();
      }
    }
  }

  /** A frame for the client; but no gap of what this tab has: another tab stood behind it. */
  #frame(socket: LinkSocket, text: string): void {
    clearTimeout(socket.unanswered);
    const { id, type, payload: p } = /"type":"(gap|welcome)"/.test(text) ? JSON.parse(text) : ({} as any);
    if (id === undefined && type === "welcome") this.#identity = { ...(p.client && { client: p.client }), ...(p.resume && { resume: p.resume }) };
    const at = id === undefined && type === "gap" ? this.owner.positions()[p.stream] : undefined;
    if (at && at.epoch === p.position?.epoch && p.position.offset <= at.offset && p.reason !== "log_went_back") return;
    socket.onmessage?.({ data: text });
  }
}

/** The WebSocket that a client sees. */
export class LinkSocket implements Socket {
  onmessage: ((event: any) => void) | null = null;
  onclose: ((event: any) => void) | null = null;
  onerror: ((event: any) => void) | null = null;
  onend = (): void => {};
  readyState = 0;
  hub = "";
  port = "";
  unanswered: ReturnType<typeof setTimeout> | undefined;
  #send: (text: string) => void = () => {};
  #close = (): void => {};

  bind(hub: string, port: string, send: (text: string) => void, close: () => void): void {
    Object.assign(this, { hub, port, readyState: 1 });
    this.#send = send;
    this.#close = close;
  }

  send(text: string): void {
    if (this.readyState === 1) this.#send(text);
  }

  close(): void {
    if (this.readyState === 3) return;
    this.#close();
    queueMicrotask(() => this.finish(1000, ""));
  }

  /** The connection has ended; `closing`: what a server would say of it. */
  finish(code: number, reason: string, closing?: object): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    clearTimeout(this.unanswered);
    this.onend();
    if (closing) this.onmessage?.({ data: control("closing", { code, reason, ...closing }) });
    this.onclose?.({ code, reason });
  }
}
