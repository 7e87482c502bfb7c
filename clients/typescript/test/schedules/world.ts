// One random schedule: a client's machine, a model of the server, and a network with latency, cuts and closes.
import assert from "node:assert/strict";
import { IDLE, LIVE, LOADING, STOPPED, SUBSCRIBED, WAITING } from "../../src/machine/phases.js";
import { deliverable, initial, step, type Event } from "../../src/machine/step.js";
import type { Actions, Effect, Emission, Position, State, Stream } from "../../src/machine/types.js";
import { VirtualClock } from "../scenario/clock.js";
import { Oracle } from "./oracle.js";
import { Random } from "./random.js";
import { OWN, TOPICS, type Connection, ModelServer } from "./server.js";

interface Link { n: number; connection: Connection | undefined; open: boolean; dropped: boolean; toClient: number; toServer: number }

export class World {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly server: ModelServer;
  readonly oracle: Oracle;
  readonly state: State;
  readonly counts = new Map<string, number>();
  readonly #links: Link[] = [];
  readonly #timers = new Map<unknown, number>();
  readonly #outbox: Emission[] = [];
  readonly #settled: number[] = [];
  /** The topic whose state the application loads before it follows it. */
  readonly #loaded: string | undefined;
  readonly #counted = new Map<string, number>();
  #draining = false;
  #dialedAt = -Infinity;
  #sleptAt = -Infinity;
  #asked = 0;
  #published = 0;
  #calm = false;
  #stopped = true;

  constructor(readonly seed: number) {
    this.random = new Random(seed);
    this.clock.fraction = () => this.random.next();
    this.server = new ModelServer(this.random, () => this.clock.now());
    this.oracle = new Oracle(this.server.logs);
    this.#loaded = this.random.chance(0.3) ? "short" : undefined;
    this.state = initial({ client: "tab-1", nextId: 1, maxOffline: 20, maxOfflineBytes: 262_144 });
  }

  run(steps: number): void {
    this.#stopped = false;
    this.#event("start");
    for (let i = 0; i < steps; i++) {
      this.#act();
      this.#advance(this.random.pick([0, 1, 5, 20, 100, 500, 3_000]));
    }
    this.#settle();
    this.#event("stop");
    this.#atStop();
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  #act(): void {
    const { random, server } = this;
    const live = [...server.connections];
    const act = random.pick(["publish", "publish", "publish", "publish", "subscribe", "unsubscribe", "cut", "close", "kill", "device", "send", "send", "stop", "role", "sleep", "again", "forget", "refresh"] as const);
    this.#count(act);
    switch (act) {
      case "publish": {
        const streams = [...TOPICS.map((topic) => `topic:${topic}`), ...OWN];
        for (let i = random.below(8); i >= 0; i--) server.publish(random.pick(streams));
        break;
      }
      case "subscribe": this.#subscribe(random.pick(TOPICS)); break;
      case "unsubscribe": this.#unsubscribe(random.pick(TOPICS)); break;
      case "again": {
        const topic = random.pick(TOPICS);
        if (this.#counted.get(topic)) { this.#unsubscribe(topic); this.#subscribe(topic); }
        break;
      }
      case "cut": for (const link of this.#links) if (link.open && random.chance(0.7)) this.#cut(link, 1006); break;
      case "close":
        for (const connection of live) {
          const code = random.pick([4503, 4513, 4500, 1011, 1001, 4603]);
          server.end(connection, code, "closed", random.chance(0.5) ? { after_ms: random.below(1_000), spread_ms: random.below(2_000) } : {});
        }
        break;
      case "kill": if (random.chance(0.5)) server.kill(random.chance(0.5)); break;
      case "device": this.#event(random.pick(["wake", "online", "offline", "hide"] as const)); break;
      case "send": this.#send(); break;
      case "stop":
        if (random.chance(0.7)) break;
        this.#event("stop");
        this.#atStop();
        this.#advance(random.below(3_000));
        this.#stopped = false;
        this.#event("start");
        break;
      case "role": server.staff = random.chance(0.5); break;
      case "sleep": {
        const ms = random.below(120_000);
        this.#sleptAt = this.clock.now() + ms;
        this.clock.sleep(ms);
        break;
      }
      case "forget": if (live[0]?.topics.has("plain")) server.forget(live[0]); break;
      case "refresh": this.#event("refresh"); break;
    }
    server.tick();
  }

  #subscribe(topic: string): void {
    const count = (this.#counted.get(topic) ?? 0) + 1;
    this.#counted.set(topic, count);
    this.oracle.subscribed.add(topic);
    this.#event("subscribe", topic, count, undefined, topic === this.#loaded);
  }

  #unsubscribe(topic: string): void {
    const count = this.#counted.get(topic) ?? 0;
    if (count === 0) return;
    this.#counted.set(topic, count - 1);
    if (count === 1) this.oracle.unsubscribed(topic);
    this.#event("unsubscribe", topic, count);
  }

  #send(): void {
    const n = ++this.#published;
    const command = { action: "publish", topic: "long", type: "note", payload: n, idempotency_key: `k${n}` };
    this.#event("command", n, command, JSON.stringify(command).length);
  }

  #advance(ms: number): void {
    const until = this.clock.now() + ms;
    while (this.clock.fireNext(until));
    this.clock.time = until;
  }

  #event(...event: Event): void {
    for (const effect of step(this.state, event, this.clock.now(), this.clock.random())) this.#run(effect);
    this.#drain();
    if (!this.#draining && this.state.stage !== STOPPED) this.oracle.positions(this.state);
  }

  readonly #actions: Actions = {
    askToken: (request) => this.#token(request),
    dial: (n, protocols, query) => this.#dial(n, protocols, query),
    send: (n, command) => this.#write(n, command),
    drop: (n) => {
      const link = this.#links.find((one) => one.n === n);
      if (link) { link.dropped = true; this.#end(link); }
    },
    arm: (timer, key, ms) => {
      this.clock.clearTimeout(this.#timers.get(timer));
      this.#timers.set(timer, this.clock.setTimeout(() => { this.#timers.delete(timer); this.#event("timer", timer, key); }, ms));
    },
    disarm: (timer) => {
      this.clock.clearTimeout(this.#timers.get(timer));
      this.#timers.delete(timer);
    },
  };

  #run(effect: Effect): void {
    const [kind, ...rest] = effect;
    if (kind in this.#actions) (this.#actions[kind as keyof Actions] as (...rest: unknown[]) => void)(...rest);
    else this.#outbox.push(effect as Emission);
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    for (let next; (next = this.#outbox.shift()); ) this.#deliver(next);
    this.#draining = false;
  }

  #deliver(next: Emission): void {
    if (!deliverable(this.state, next)) return;
    const [kind, value, stream] = next;
    if (this.#stopped) assert.ok(kind === "state" || kind === "settle", `a ${kind} after stop`);
    switch (kind) {
      case "settle": {
        this.#settled.push(value.ref as number);
        const awake = this.clock.now() - this.#sleptAt > 11_000;
        return assert.ok(!awake || value.error?.code !== "timeout", "a publication without a reply");
      }
      case "message": {
        this.oracle.message(value);
        // A handler that leaves, or that leaves and comes back.
        const { topic } = value;
        if (topic !== undefined && this.random.chance(0.03)) { this.#unsubscribe(topic); if (this.random.chance(0.5)) this.#subscribe(topic); }
        return;
      }
      case "gap": return this.oracle.gap(value);
      case "load": return this.#load(stream as Stream);
      case "status":
        if (value.phase === "live" && this.oracle.subscribed.has(stream?.topic ?? "")) this.oracle.live(stream?.topic as string, value.position);
        return;
      case "state": this.#count(value.resumed === undefined ? value.phase : `resumed ${value.resumed}`);
    }
  }

  /** The application reads its state, and where the stream stood at that time; or it fails. */
  #load(stream: Stream): void {
    const { loading } = stream;
    this.#count("load");
    this.clock.setTimeout(() => {
      const position = this.server.logs.get(stream.name)?.position as Position;
      this.clock.setTimeout(() => {
        if (!this.#calm && this.random.chance(0.2)) return this.#event("loaded", stream, loading, null, "no database");
        if (stream.loading === loading && stream.stage === LOADING && this.state.stage !== STOPPED) this.oracle.loaded(stream.topic as string, position);
        this.#event("loaded", stream, loading, position);
      }, this.random.below(500));
    }, this.random.below(500));
  }

  #token(request: number): void {
    const { random } = this;
    const kind = this.#calm ? 0 : random.below(20);
    const validity = this.#calm ? 1e9 : random.pick([50, 2_000, 60_000, 600_000]);
    const delay = kind === 1 ? 15_000 : random.pick([0, 10, 300]);
    const text = `t${++this.#asked}@${this.clock.now() + validity}`;
    this.clock.setTimeout(() => {
      if (kind === 2) this.#event("token", request, undefined, "no network");
      else this.#event("token", request, text);
    }, delay);
  }

  #dial(n: number, protocols: string[], query: Record<string, string>): void {
    const now = this.clock.now();
    assert.ok(now - this.#dialedAt >= 100, `two dials within ${now - this.#dialedAt} ms`);
    this.#dialedAt = now;
    this.#count("dial");
    assert.equal(this.#links.filter(({ open }) => open).length, 0, "two sockets");
    const link: Link = { n, connection: undefined, open: true, dropped: false, toClient: now, toServer: now };
    this.#links.push(link);
    const token = (protocols[1] as string).slice("bearer.".length);
    const fails = !this.#calm && this.random.chance(0.15);
    if (!this.#calm && this.random.chance(0.05)) return; // No answer at all.
    this.clock.setTimeout(() => {
      if (!link.open) return;
      if (fails) return this.#cut(link, 1006);
      link.connection = {
        token, user: "alice", topics: new Set(), held: new Map(), holdUntil: 0, roles: [], closed: false,
        out: (frame) => this.#toClient(link, () => this.#event("frame", n, JSON.stringify(frame))),
        close: (code, closing) => {
          if (closing && this.random.chance(0.8)) link.connection?.out({ type: "closing", payload: closing });
          this.#toClient(link, () => this.#cut(link, code));
        },
      };
      this.server.admit(link.connection, query["resume"]);
    }, this.random.below(400));
  }

  /** In order; what is on its way when the link ends is lost. */
  #toClient(link: Link, run: () => void): void {
    link.toClient = Math.max(link.toClient, this.clock.now() + this.random.below(60));
    this.clock.setTimeout(() => { if (link.open) run(); }, link.toClient - this.clock.now());
  }

  #write(n: number, command: unknown): void {
    const link = this.#links.find((one) => one.n === n);
    assert.ok(link, "a command for a socket that never was");
    if (!link.open) return;
    link.toServer = Math.max(link.toServer, this.clock.now() + this.random.below(60));
    this.clock.setTimeout(() => {
      if (link.connection && !link.connection.closed) this.server.command(link.connection, command);
    }, link.toServer - this.clock.now());
  }

  #end(link: Link): void {
    link.open = false;
    if (!link.connection) return;
    this.server.connections.delete(link.connection);
    link.connection.closed = true;
  }

  #cut(link: Link, code: number): void {
    this.#end(link);
    if (link.dropped) return;
    this.clock.setTimeout(() => {
      this.#event("closed", link.n, code, "");
      // A network that changes says so at the same moment.
      if (this.random.chance(0.2)) this.#event("online");
    }, this.random.below(50));
  }

  /** The network and the server are well from now on: then the client has everything. */
  #settle(): void {
    this.#calm = true;
    for (let i = 0; i < 60; i++) {
      this.server.tick();
      if (this.state.stage === STOPPED) { this.#stopped = false; this.#event("start"); }
      if (this.state.stage === WAITING && this.state.shown.retryAt === undefined) this.#event("wake");
      this.#advance(3_000);
    }
    assert.equal(this.state.stage, LIVE, "not connected in the end");
    for (const [topic, count] of this.#counted) {
      assert.equal(this.state.table.get(`topic:${topic}`)?.stage ?? IDLE, count > 0 ? SUBSCRIBED : IDLE, topic);
    }
    const followed = [...this.oracle.subscribed].filter((topic) => topic !== "plain").map((topic) => `topic:${topic}`);
    const own = OWN.filter((stream) => stream !== "role:staff" || [...this.server.connections][0]?.roles.includes("staff"));
    this.oracle.complete([...followed, ...own]);
    assert.deepEqual([...this.#settled].sort((a, b) => a - b), Array.from({ length: this.#published }, (_, i) => i + 1), "each publish has one result");
    const order = this.server.published.map(({ payload }) => payload);
    assert.deepEqual(order, [...order].sort((a, b) => a - b), "publications out of order");
    assert.equal(new Set(order).size, order.length, "published twice");
    assert.equal(this.state.commands.size, 0);
  }

  #atStop(): void {
    this.#stopped = true;
    assert.equal(this.#timers.size, 0, `timers after stop`);
    assert.equal(this.#links.filter(({ open }) => open).length, 0, "a socket after stop");
  }
}
