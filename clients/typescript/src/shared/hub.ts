// The tab with the socket: one connection to the server, many ports. Each tab runs the whole client; the hub only sends its
// commands on under ids of its own, counts who wants which topic, and hands each frame to the tabs that it is for. What a
// tab has already, it drops itself, by its own positions.
import type { Socket, SocketConstructor } from "../driver.js";
import type { Command, Position } from "../machine/types.js";
import { Resume } from "./resume.js";
import { control, portOf, type Hold, type Port, type ToHub, type ToTabs } from "./wire.js";

/** Frames that wait for one tab, at most; then that tab connects again. */
const QUEUE = 1_000;
const TOPIC = "topic:";

/** A command that waits for its reply. Without a port, no tab wants it. */
interface Sent { port: Port | undefined; id: unknown; command: Command }

export class Hub {
  /** Tabs that are known, and not connected to this hub yet. */
  readonly expected = new Set<string>();
  readonly #ports = new Map<string, Port>();
  readonly #sent = new Map<number, Sent>();
  /** The last position of each stream that has come from the server. */
  readonly #tops = new Map<string, Position>();
  readonly #given = new Set<string>();
  /** Tabs whose `resume` went out in one command. */
  readonly #merged = new Map<Port, { id: unknown; names: Set<string> }>();
  #nextId = Math.floor(Date.now()) * 1_000 + 1;
  #socket: Socket | undefined;
  #own: { port: Port; receive: (text: string) => void; closed: (code: number, reason: string) => void } | undefined;
  #welcome: any;
  #resume: Resume | undefined;

  constructor(
    readonly id: string,
    private readonly user: string,
    private readonly WebSocket: SocketConstructor,
    private readonly post: (message: ToTabs) => void,
  ) {}

  get connecting(): boolean {
    return !!this.#socket && !this.#welcome;
  }

  /** The machine of this tab connects. */
  connect(address: string, protocols: string[], tab: string, receive: (text: string) => void, closed: (code: number, reason: string) => void): { send(text: string): void; close(): void } {
    const port = portOf(`${tab}:own`, tab, true);
    const own = (this.#own = { port, receive, closed });
    const socket = (this.#socket = new this.WebSocket(address, protocols));
    this.#ports.set(port.key, port);
    socket.onmessage = ({ data }) => this.#frame(String(data));
    socket.onerror = () => {};
    socket.onclose = ({ code, reason }) => {
      if (socket !== this.#socket) return;
      this.#lost("the connection was lost");
      closed(code, reason);
    };
    return {
      send: (text) => { if (own === this.#own) this.#command(port, text); },
      close: () => { if (own === this.#own) this.#lost("the tab with the connection closed it"); },
    };
  }

  /** No connection any more: the tabs connect to this hub again, and wait there. */
  #lost(reason: string): void {
    const socket = this.#socket;
    this.#socket = this.#own = this.#welcome = undefined;
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close(1000);
    }
    this.#resume?.cancel();
    this.#resume = undefined;
    const ports = [...this.#ports.values()].filter(({ own }) => !own).map(({ key }) => key);
    for (const { tab, own } of this.#ports.values()) if (!own) this.expected.add(tab);
    for (const state of [this.#ports, this.#sent, this.#tops, this.#given]) state.clear();
    if (ports.length) this.post({ kind: "close", hub: this.id, ports, reason });
  }

  /** This tab is the hub no more. */
  end(): void {
    this.#lost("another tab has the connection now");
  }

  /** A message of another tab. */
  receive(message: Exclude<ToHub, { kind: "who" }>, hidden: boolean): void {
    if (message.kind === "hello") {
      const { port: key, tab } = message;
      this.leave(tab);
      if (!this.#socket) return this.post({ kind: "down", hub: this.id, port: key, hidden });
      const port = portOf(key, tab, false);
      this.#ports.set(key, port);
      if (this.#welcome) this.#admit(port);
      else this.post({ kind: "hub", hub: this.id, tab });
      return;
    }
    const port = this.#ports.get(message.port);
    if (!port) return;
    if (message.kind === "command") this.#command(port, message.text);
    else this.#remove(port);
  }

  /** A tab has closed. */
  leave(tab: string): void {
    for (const port of [...this.#ports.values()]) if (port.tab === tab && !port.own) this.#remove(port);
  }

  /** A tab is gone for good: nothing waits for it. */
  forget(tab: string): void {
    this.leave(tab);
    this.expected.delete(tab);
    this.#resume?.without((port) => port.tab === tab);
  }

  #remove(port: Port): void {
    this.#ports.delete(port.key);
    this.#resume?.without((other) => other === port);
    for (const topic of port.topics.keys()) if (!this.#wanted(topic)) this.#forward(undefined, { action: "unsubscribe", topic });
    for (const topic of port.watches) if (!this.#watched(topic)) this.#forward(undefined, { action: "presence", topic, subscribe: false, limit: 1 });
  }

  #wanted(topic: string): boolean {
    return [...this.#ports.values()].some(({ topics }) => topics.has(topic));
  }

  #watched(topic: string): boolean {
    return [...this.#ports.values()].some(({ watches }) => watches.has(topic));
  }

  /** The welcome of a tab. While tabs resume, it is the server's own; later, each stream begins where it stands. */
  #admit(port: Port): void {
    const { token_expires_in_ms, ...welcome } = this.#welcome;
    if (port.own) welcome.token_expires_in_ms = token_expires_in_ms;
    if (this.#resume) {
      this.#resume.expect(port);
    } else {
      welcome.resumed = false;
      delete welcome.hold_ms;
      welcome.streams = Object.fromEntries([...this.#tops].filter(([name]) => !name.startsWith(TOPIC)));
    }
    this.#give([port], control("welcome", welcome));
    for (const topic of this.#given) this.#give([port], control("subscribed", { topic, position: this.#tops.get(TOPIC + topic) }));
  }

  #frame(text: string): void {
    const frame = parsed(text);
    if (!frame) return this.#give([...this.#ports.values()], text);
    const { id, type, payload: p = {} } = frame;
    if (id !== undefined) return this.#publication(frame, text);
    switch (type) {
      case "welcome": return this.#welcomed(p);
      case "closing": return void this.#own?.receive(text);
      case "ack": case "error": return this.#replied(p.id, type, p, text);
      case "gap": return this.#gap(p, text);
      case "subscribed":
        this.#given.add(p.topic);
        if (p.position) this.#tops.set(TOPIC + p.topic, p.position);
        break;
      case "unsubscribed":
        this.#given.delete(p.topic);
        for (const { topics } of this.#ports.values()) topics.delete(p.topic);
    }
    this.#give([...this.#ports.values()], text);
  }

  #welcomed(p: any): void {
    if (p.user !== this.user) {
      // Tabs of different users must never share.
      this.#own?.receive(control("closing", { code: "other_user", reason: `the token is of ${p.user}, the option \`user\` is ${this.user}`, reconnect: false }));
      return this.#socket?.close(1000);
    }
    this.#welcome = p;
    for (const [name, at] of Object.entries<Position>(p.streams ?? {})) this.#tops.set(name, at);
    if (p.resumed) {
      this.#resume = new Resume(p.streams ?? {}, this.expected, p.hold_ms ?? 5_000, (ports, since) => {
        this.#resume = undefined;
        this.#forward(undefined, { action: "resume", since }, ports);
      }, (port, gap) => this.#give([port], control("gap", gap)));
    }
    this.expected.clear();
    for (const port of this.#ports.values()) this.#admit(port);
    this.post({ kind: "up", hub: this.id });
  }

  #publication({ id, topic, stream, offset }: any, text: string): void {
    const name: string | undefined = stream ?? (topic && TOPIC + topic);
    const top = name === undefined ? undefined : this.#tops.get(name);
    const again = offset !== undefined && top !== undefined && offset <= top.offset;
    if (name !== undefined && offset !== undefined && !again) this.#tops.set(name, { epoch: top?.epoch ?? "", offset });
    const ports = this.#receivers(topic);
    this.#give(ports.filter((port) => this.#passes(port, topic, offset, again, text) && !this.#waits(port, id, text)), text);
  }

  /** The tabs that receive a topic; without a topic, all of them. */
  #receivers(topic: string | undefined): Port[] {
    return [...this.#ports.values()].filter((port) => topic === undefined || this.#given.has(topic) || port.topics.has(topic));
  }

  /** Whether a frame of a stream is for the tab now. */
  #passes(port: Port, topic: string | undefined, offset: number | undefined, again: boolean, text: string): boolean {
    const hold = topic === undefined ? undefined : port.topics.get(topic);
    if (!hold || offset === undefined) return true;
    // From here on the stream is repeated for this tab: what is held comes again.
    if (again || offset <= hold.next) {
      port.topics.set(topic as string, undefined);
      return true;
    }
    hold.frames.push(text);
    if (hold.frames.length > QUEUE) this.#disconnect(port);
    return false;
  }

  /** A publication waits while the tab publishes without an echo: it may be that one. */
  #waits(port: Port, id: string, text: string): boolean {
    if (!port.quiet.size) return false;
    port.waiting.push({ id, text });
    if (port.waiting.length > QUEUE) this.#disconnect(port);
    return true;
  }

  /** This tab connects again, by itself. */
  #disconnect(port: Port): void {
    this.#remove(port);
    if (port.own) return this.#own?.closed(1006, "too many frames wait");
    this.post({ kind: "close", hub: this.id, ports: [port.key], reason: "too many frames wait" });
  }

  #gap(p: any, text: string): void {
    const { stream, from, position } = p;
    if (stream !== undefined && position) this.#tops.set(stream, position);
    const topic = stream?.startsWith(TOPIC) ? stream.slice(TOPIC.length) : undefined;
    const ports = this.#receivers(topic);
    this.#give(ports.filter((port) => this.#passes(port, topic, from ?? 0, from === undefined, text)), text);
  }

  #command(port: Port, text: string): void {
    const command: Command = JSON.parse(text);
    const { action, id } = command;
    const topic = command.topic as string;
    switch (action) {
      case "pong":
        if (port.own) this.#socket?.send(text);
        return;
      case "ping":
        // The machine of this tab asks for all.
        if (!port.own) return this.#ack(port, id);
        break;
      case "subscribe":
        port.topics.set(topic, holdFor(command.since as Position | undefined));
        break;
      case "unsubscribe":
        port.topics.delete(topic);
        if (this.#wanted(topic)) return this.#ack(port, id);
        break;
      case "presence":
        if (command.subscribe === true) port.watches.add(topic);
        if (command.subscribe !== false) break;
        port.watches.delete(topic);
        if (this.#watched(topic)) return this.#ack(port, id);
        break;
      case "publish":
        // For the server there is one client: another tab would miss it.
        if (command.echo === false) {
          delete command.echo;
          port.quiet.add(this.#nextId);
        }
        break;
      case "resume": {
        const since = command.since as Record<string, Position>;
        const merged = this.#resume?.add(port, id, since);
        for (const [name, at] of Object.entries(since)) if (name.startsWith(TOPIC)) port.topics.set(name.slice(TOPIC.length), merged ? undefined : holdFor(at));
        if (merged) return;
      }
    }
    this.#forward(port, command);
  }

  #ack(port: Port, id: unknown): void {
    this.#give([port], control("ack", { id }));
  }

  #forward(port: Port | undefined, command: Command, merged: { port: Port; id: unknown; names: Set<string> }[] = []): void {
    const id = this.#nextId++;
    const own = command.id;
    this.#sent.set(id, { port, id: own, command });
    for (const one of merged) this.#merged.set(one.port, one);
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify({ ...command, id }));
  }

  #replied(id: number, type: string, p: any, text: string): void {
    const sent = this.#sent.get(id);
    if (!sent) return id === undefined ? this.#give([...this.#ports.values()], text) : undefined;
    this.#sent.delete(id);
    const { port, command } = sent;
    for (const [name, at] of Object.entries<Position>(p.streams ?? {})) this.#tops.set(name, at);
    if (!port) {
      if (command.action === "resume") this.#resumed(type, p);
      return;
    }
    const topic = command.topic as string;
    if (command.action === "subscribe") {
      if (type === "error") port.topics.delete(topic);
      else if (p.position) this.#tops.set(TOPIC + topic, p.position);
      this.#release(port, topic);
    } else if (command.action === "resume") {
      for (const name of Object.keys(command.since as object)) this.#release(port, name.slice(TOPIC.length));
    } else if (command.action === "refresh" && type === "ack") {
      this.#refreshed(port, p);
    } else if (port.quiet.delete(id)) {
      port.waiting = port.waiting.filter(({ id: other }) => other !== p.message);
      if (!port.quiet.size) for (const { text: waiting } of port.waiting.splice(0)) this.#give([port], waiting);
    }
    if (this.#ports.get(port.key) === port) this.#give([port], control(type, { ...p, id: sent.id }));
  }

  #resumed(type: string, p: any): void {
    for (const [port, { id, names }] of this.#merged) {
      const streams = p.streams && Object.fromEntries(Object.entries(p.streams).filter(([name]) => names.has(name) || !name.startsWith(TOPIC)));
      if (this.#ports.get(port.key) === port) this.#give([port], control(type, { ...p, ...(streams && { streams }), id }));
    }
    this.#merged.clear();
  }

  /** The stream was not repeated: what is held is what comes after the tab's position. */
  #release(port: Port, topic: string): void {
    const hold = port.topics.get(topic);
    if (!hold) return;
    port.topics.set(topic, undefined);
    for (const text of hold.frames) this.#give([port], text);
  }

  /** The connection has another token. Streams of new roles come with a new welcome. */
  #refreshed(by: Port, p: any): void {
    this.#welcome = { ...this.#welcome, ...(p.roles && { roles: p.roles }), ...(p.resume && { resume: p.resume }) };
    if (p.resume) this.post({ kind: "ticket", hub: this.id, ticket: p.resume });
    if (p.streams) for (const port of [...this.#ports.values()]) if (port !== by && !port.own) this.#disconnect(port);
  }

  #give(ports: Port[], text: string): void {
    const others = ports.filter(({ own }) => !own).map(({ key }) => key);
    if (others.length) this.post({ kind: "frame", hub: this.id, ports: others, text });
    if (ports.some(({ own }) => own)) this.#own?.receive(text);
  }
}

function holdFor(since: Position | undefined): Hold | undefined {
  return since && { next: since.offset + 1, frames: [] };
}

function parsed(text: string): any {
  try {
    const frame = JSON.parse(text);
    return frame !== null && typeof frame === "object" ? frame : undefined;
  } catch {
    return undefined;
  }
}
