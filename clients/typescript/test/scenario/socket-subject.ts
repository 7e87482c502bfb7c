// The whole client, over real sockets: a `ws` server in this process does what the scenario says, with delays of a few
// milliseconds. The time of the client's timers is the scenario's.
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket, WebSocketServer } from "ws";
import { Realtime, RealtimeError, type Position, type Subscription } from "../../src/index.js";
import type { VirtualClock } from "./clock.js";
import { Device } from "./device.js";
import type { Json, Scenario } from "./format.js";
import { Subject } from "./subject.js";

/** A dial, seen from both ends. */
interface Link {
  client: WebSocket;
  request?: { request: IncomingMessage; socket: Duplex; head: Buffer };
  server?: WebSocket;
  gone: boolean;
  serverGone: boolean;
  /** The client has let go of it. */
  dropped: boolean;
  toClient: number;
  atClient: number;
  toServer: number;
  atServer: number;
  sending: Promise<void>;
}

export class SocketSubject extends Subject {
  readonly links: Link[] = [];
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => "realtime.v1" });
  readonly #device = new Device();
  readonly #uninstall: () => void;
  readonly #handles = new Map<string, Subscription>();
  readonly #answers: { resolve: (token: string | null) => void; reject: (error: Error) => void }[] = [];
  readonly #loads: { resolve: (position: Position | null) => void; reject: (error: Error) => void }[] = [];
  readonly client: Realtime;
  #handed: string | null | undefined;
  #seed = 1;

  /** `client`: the class under test. */
  static async create(scenario: Scenario, clock: VirtualClock, client: typeof Realtime = Realtime): Promise<SocketSubject> {
    const http = createServer();
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    return new SocketSubject(scenario, clock, http, client);
  }

  private constructor(scenario: Scenario, clock: VirtualClock, http: Server, Client: typeof Realtime) {
    super(scenario, clock);
    this.#http = http;
    this.#handed = scenario.token;
    http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#uninstall = this.#device.install();
    const { port } = http.address() as AddressInfo;
    const { client = "tab-1", max_offline = 100 } = scenario.options ?? {};
    this.client = new Client({
      url: `ws://127.0.0.1:${port}/ws`, client, maxOffline: max_offline, clock, WebSocket: this.#socketClass(),
      token: ({ reason }) => this.#ask(reason),
    });
    this.client.onState((state) => this.record("state", state));
    this.client.onGap((gap) => this.record("gap", gap));
    this.client.onError((error) => this.record("error", { code: (error as RealtimeError).code, message: error.message }));
    this.client.on("**", (message) => this.record("message", message));
  }

  get dials(): number {
    return this.links.length;
  }

  #socketClass(): unknown {
    const links = this.links;
    return class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { headers: { "x-dial": String(links.length) } });
        const link: Link = { client: this, gone: false, serverGone: false, dropped: false, toClient: 0, atClient: 0, toServer: 0, atServer: 0, sending: Promise.resolve() };
        links.push(link);
        this.on("message", () => { link.atClient += 1; });
        this.on("close", () => { link.gone = true; });
        this.on("error", () => {});
      }
      override send(text: any): void {
        const link = links.find(({ client }) => client === this) as Link;
        link.toServer += 1;
        super.send(text);
      }
      override close(code?: number): void {
        (links.find(({ client }) => client === this) as Link).dropped = true;
        super.close(code);
      }
    };
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const link = this.links[Number(request.headers["x-dial"])] as Link;
    link.request = { request, socket, head };
    const query = Object.fromEntries(new URL(request.url ?? "", "ws://host").searchParams);
    const protocols = String(request.headers["sec-websocket-protocol"]).split(",").map((text) => text.trim());
    this.record("dial", { protocols, query });
    // Without a reader, the end of a socket is not seen.
    socket.resume();
    socket.on("end", () => { if (!link.server) socket.destroy(); });
    socket.on("close", () => { link.serverGone = true; if (!link.server && link.dropped) this.record("drop", {}); });
    socket.on("error", () => {});
  }

  async #ask(reason: string): Promise<string | null> {
    this.record("token", { reason });
    if (this.#handed !== undefined) return this.#handed;
    return new Promise((resolve, reject) => this.#answers.push({ resolve, reject }));
  }

  call(name: string, args: Json): void {
    const { client } = this;
    const { as, ...rest } = args;
    const settles = (promise: Promise<unknown>) => void promise.then(
      (result) => this.record("settle", { ref: as, result }),
      (error: RealtimeError) => this.record("settle", { ref: as, error: { code: error.code, message: error.message } }),
    );
    switch (name) {
      case "start":
        if ("token" in args) this.#handed = args.token;
        return void client.start();
      case "stop": return client.stop();
      case "refresh": return client.refresh();
      case "subscribe": return this.#subscribe(as ?? args.topic, args);
      case "unsubscribe": return this.#handles.get(as)?.unsubscribe();
      case "loaded": return this.#loads.shift()?.resolve(args.position);
      case "load_failed": return this.#loads.shift()?.reject(args.error ? new RealtimeError(args.error) : new Error("it failed"));
      case "publish": return settles(client.publish(args.topic, args.type, args.payload, { idempotencyKey: args.idempotency_key }));
      case "call": return settles(client.call(args.name, args.payload).then((result) => ({ result })));
      case "history": return settles(client.history(args.stream, rest));
      default: throw new Error(`unknown call ${name}`);
    }
  }

  #subscribe(as: string, { topic, since, load }: Json): void {
    const getState = ({ reason }: { reason: string }): Promise<Position | null> => {
      this.record("load", { topic, reason });
      return new Promise((resolve, reject) => this.#loads.push({ resolve, reject }));
    };
    const handle = this.client.subscribe(topic, { ...(since ? { since } : {}), ...(load ? { getState } : {}) });
    this.#handles.set(as, handle);
    const record = () => {
      const { state } = handle;
      this.record("subscription", { topic, ...state, ...(state.phase === "ended" ? { error: { ...state.error } } : {}) });
    };
    handle.onState(record);
    if (handle.state.phase === "live") record();
  }

  token(answer: Json): void {
    const pending = this.#answers.shift();
    if (!pending) throw new Error("no token request is pending");
    if (answer?.error !== undefined) pending.reject(new Error(answer.error));
    else pending.resolve(answer);
  }

  device(signal: "wake" | "online" | "offline" | "hide"): void {
    this.#device.signal(signal);
  }

  #link(socket: number): Link {
    const link = this.links[socket - 1];
    if (!link) throw new Error(`there is no dial ${socket}`);
    return link;
  }

  open(socket: number): void {
    const link = this.#link(socket);
    if (!link.request || link.server || link.request.socket.destroyed) return;
    const { request, socket: raw, head } = link.request;
    this.#sockets.handleUpgrade(request, raw, head, (server) => {
      link.server = server;
      server.on("message", (text) => {
        link.atServer += 1;
        const command = JSON.parse(String(text));
        this.record("send", command);
        if (command.id !== undefined) this.unanswered.push({ socket, command });
      });
      server.on("close", (code) => { if (link.dropped) this.record("drop", { code }); });
      server.on("error", () => {});
    });
  }

  /** A few milliseconds on the way, in order. */
  #later(link: Link, run: () => void): void {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647;
    const ms = this.#seed % 3;
    link.sending = link.sending.then(() => delay(ms)).then(run);
  }

  send(socket: number, frame: Json): void {
    const link = this.#link(socket);
    if (!link.server || link.gone) return;
    link.toClient += 1;
    this.#later(link, () => link.server?.send(JSON.stringify(frame)));
  }

  close(socket: number, code: number, reason: string): void {
    const link = this.#link(socket);
    if (link.gone) return;
    this.#later(link, () => {
      if (code !== 1006) link.server?.close(code, reason);
      else if (link.server) link.server.terminate();
      else link.request?.socket.destroy();
    });
    link.toClient = Infinity;
  }

  #still(): boolean {
    return this.links.every((link) => {
      if (link.gone) return link.request === undefined || link.serverGone;
      if (link.dropped || link.toClient === Infinity) return false;
      return link.request !== undefined && link.toClient === link.atClient && link.toServer === link.atServer;
    });
  }

  async quiet(): Promise<void> {
    const until = Date.now() + 5_000;
    for (let still = 0; still < 2; ) {
      await delay(1);
      still = this.#still() ? still + 1 : 0;
      if (Date.now() > until) throw new Error("the sockets did not come to rest in 5 s");
    }
  }

  async end(): Promise<void> {
    this.client.stop();
    for (const { server, client, request } of this.links) {
      client.terminate();
      server?.terminate();
      request?.socket.destroy();
    }
    await new Promise((resolve) => this.#http.close(resolve));
    this.#uninstall();
    const { length } = this.#device.listeners;
    if (length) throw new Error(`${length} listeners were left after stop()`);
  }
}
