// The machine alone: no promise, no socket.
import { deliverable, initial, step, type Event } from "../../src/machine/step.js";
import type { Actions, Effect, Emission, Position, State } from "../../src/machine/types.js";
import type { VirtualClock } from "./clock.js";
import type { Json, Scenario } from "./format.js";
import { Subject } from "./subject.js";

export class MachineSubject extends Subject {
  readonly state: State;
  dials = 0;
  readonly #n = new Map<number, number>();
  readonly #dropped = new Set<number>();
  readonly #requests: number[] = [];
  readonly #timers = new Map<unknown, number>();
  readonly #outbox: Emission[] = [];
  /** By its name: a topic, and what stands for the subscriber. */
  readonly #handles = new Map<string, { topic: string }>();
  #draining = false;
  #handed: string | null | undefined;

  constructor(scenario: Scenario, clock: VirtualClock) {
    super(scenario, clock);
    const { client = "tab-1", max_offline = 100 } = scenario.options ?? {};
    this.state = initial({ client, nextId: 1, maxOffline: max_offline, maxOfflineBytes: 262_144 });
    this.#handed = scenario.token;
  }

  #event(...event: Event): void {
    for (const effect of step(this.state, event, this.clock.now(), this.clock.random())) this.#run(effect);
    this.#drain();
  }

  readonly #actions: Actions = {
    askToken: (request, reason) => {
      this.record("token", { reason });
      const token = this.#handed;
      if (token === undefined) this.#requests.push(request);
      else this.clock.setTimeout(() => this.#event("token", request, token), 0);
    },
    dial: (n, protocols, query) => {
      this.dials += 1;
      this.#n.set(this.dials, n);
      this.record("dial", { protocols, query });
    },
    drop: (n) => {
      this.#dropped.add(n);
      this.record("drop", { code: 1000 });
    },
    send: (_n, command) => {
      this.record("send", command);
      if (command["id"] !== undefined) this.unanswered.push({ socket: this.dials, command });
    },
    arm: (timer, key, ms) => {
      this.clock.clearTimeout(this.#timers.get(timer));
      this.#timers.set(timer, this.clock.setTimeout(() => this.#event("timer", timer, key), ms));
    },
    disarm: (timer) => this.clock.clearTimeout(this.#timers.get(timer)),
  };

  #run(effect: Effect): void {
    const [kind, ...rest] = effect;
    if (kind in this.#actions) (this.#actions[kind as keyof Actions] as (...rest: unknown[]) => void)(...rest);
    else this.#outbox.push(effect as Emission);
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    for (let next; (next = this.#outbox.shift()); ) if (deliverable(this.state, next)) this.#emit(next);
    this.#draining = false;
  }

  #emit([kind, value, stream]: Emission): void {
    switch (kind) {
      case "settle": return this.record("settle", { ref: value.ref, ...(value.error ? { error: value.error } : { result: value.result }) });
      case "load": return this.record("load", { topic: stream?.topic, reason: value });
      case "status": return this.record("subscription", { topic: stream?.topic, ...value });
      case "frame": return;
      default: return this.record(kind, value);
    }
  }

  call(name: string, args: Json): void {
    const { as, ...rest } = args;
    switch (name) {
      case "start":
        if ("token" in args) this.#handed = args.token;
        if ("ask" in args) this.#handed = undefined;
        return this.#event("start");
      case "stop": case "refresh": return this.#event(name);
      case "subscribe": {
        const { topic, since, load } = args;
        const handle = { topic };
        this.#handles.set(as ?? topic, handle);
        return this.#event("subscribe", topic, handle, since, load);
      }
      case "unsubscribe": {
        const handle = this.#handles.get(as ?? args.topic);
        return this.#event("unsubscribe", handle?.topic ?? args.topic, handle);
      }
      case "loaded": return this.#loaded(args.topic, args.position);
      case "load_failed": return this.#loaded(args.topic, null, args.error?.message ?? "it failed", args.error);
      case "publish": case "call": case "history": {
        const command = { action: name, ...rest };
        return this.#event("command", as, command, JSON.stringify(command).length);
      }
      default: throw new Error(`unknown call ${name}`);
    }
  }

  #loaded(topic: string, position: Position | null, failed?: string, error?: Json): void {
    const stream = this.state.table.get(`topic:${topic}`);
    if (stream) this.#event("loaded", stream, stream.loading, position, failed, error);
  }

  token(answer: Json): void {
    const request = this.#requests.shift();
    if (request === undefined) throw new Error("no token request is pending");
    if (answer?.error !== undefined) this.#event("token", request, undefined, answer.error);
    else this.#event("token", request, answer);
  }

  device(signal: "wake" | "online" | "offline" | "hide"): void {
    this.#event(signal);
  }

  open(): void {}

  send(socket: number, frame: Json): void {
    const n = this.#n.get(socket) ?? 0;
    if (!this.#dropped.has(n)) this.#event("frame", n, JSON.stringify(frame));
  }

  close(socket: number, code: number, reason: string): void {
    this.#event("closed", this.#n.get(socket) ?? 0, code, reason);
  }

  async quiet(): Promise<void> {
    // A token that is at hand arrives in a later turn, at the same time.
    while (this.clock.nextDue <= this.clock.time) this.clock.fireNext(this.clock.time);
  }

  async end(): Promise<void> {}
}
