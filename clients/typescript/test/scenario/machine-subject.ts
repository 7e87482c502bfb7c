// The machine alone: no promise, no socket.
import { deliverable, initial, step } from "../../src/machine/step.js";
import type { Effect, Emission, Event, State } from "../../src/machine/types.js";
import type { VirtualClock } from "./clock.js";
import type { Json, Scenario } from "./format.js";
import { Subject } from "./subject.js";

export class MachineSubject extends Subject {
  readonly state: State;
  dials = 0;
  readonly #n = new Map<number, number>();
  readonly #dropped = new Set<number>();
  readonly #requests: number[] = [];
  readonly #timers = new Map<string, number>();
  readonly #outbox: (Emission | (Effect & { type: "settle" | "load" }))[] = [];
  readonly #topics = new Map<string, string>();
  #draining = false;
  #handed: string | null | undefined;

  constructor(scenario: Scenario, clock: VirtualClock) {
    super(scenario, clock);
    const { client = "tab-1", max_offline = 100 } = scenario.options ?? {};
    this.state = initial({ client, firstId: 1, maxOffline: max_offline, maxOfflineBytes: 262_144 });
    this.#handed = scenario.token;
  }

  #event(event: Event): void {
    for (const effect of step(this.state, event, this.clock.now(), this.clock.random())) this.#run(effect);
    this.#drain();
  }

  #run(effect: Effect): void {
    switch (effect.type) {
      case "askToken":
        this.record("token", { reason: effect.reason });
        if (this.#handed === undefined) this.#requests.push(effect.request);
        else { const { request } = effect; const token = this.#handed; this.clock.setTimeout(() => this.#event({ type: "token", request, token }), 0); }
        break;
      case "dial":
        this.dials += 1;
        this.#n.set(this.dials, effect.n);
        this.record("dial", { protocols: effect.protocols, query: effect.query });
        break;
      case "drop":
        this.#dropped.add(effect.n);
        this.record("drop", { code: effect.code });
        break;
      case "send":
        this.record("send", effect.command);
        if (effect.command.id !== undefined) this.unanswered.push({ socket: this.dials, command: effect.command });
        break;
      case "arm": {
        const { timer, key } = effect;
        this.clock.clearTimeout(this.#timers.get(timer));
        this.#timers.set(timer, this.clock.setTimeout(() => this.#event({ type: "timer", timer, key }), effect.ms));
        break;
      }
      case "disarm": this.clock.clearTimeout(this.#timers.get(effect.timer)); break;
      case "emit": this.#outbox.push(effect.emission); break;
      default: this.#outbox.push(effect);
    }
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    for (let next; (next = this.#outbox.shift()); ) {
      if ("kind" in next) {
        if (deliverable(this.state, next)) this.#emit(next);
      } else if (next.type === "settle") this.record("settle", { ref: next.ref, ...(next.error ? { error: next.error } : { result: next.result }) });
      else this.record("load", { topic: next.topic, reason: next.reason });
    }
    this.#draining = false;
  }

  #emit(emission: Emission): void {
    switch (emission.kind) {
      case "state": return this.record("state", emission.state);
      case "message": return this.record("message", emission.message);
      case "gap": return this.record("gap", emission.gap);
      case "subscription": return this.record("subscription", { topic: emission.topic, ...emission.status });
      case "error": return this.record("error", emission.error);
    }
  }

  call(name: string, args: Json): void {
    const { as, ...rest } = args;
    switch (name) {
      case "start":
        if ("token" in args) this.#handed = args.token;
        if ("ask" in args) this.#handed = undefined;
        return this.#event({ type: "start" });
      case "stop": case "refresh": return this.#event({ type: name });
      case "subscribe":
        this.#topics.set(as ?? args.topic, args.topic);
        return this.#event({ type: "subscribe", topic: args.topic, since: args.since, load: args.load });
      case "unsubscribe": return this.#event({ type: "unsubscribe", topic: this.#topics.get(args.as) ?? args.topic });
      case "loaded": {
        const { topic, position } = args;
        return this.#event({ type: "loaded", topic, generation: this.#generation(topic), position });
      }
      case "load_failed": return this.#event({ type: "loadFailed", topic: args.topic, generation: this.#generation(args.topic), message: "it failed" });
      case "publish": case "call": case "history": return this.#event({ type: "command", ref: as, command: { action: name, ...rest } });
      default: throw new Error(`unknown call ${name}`);
    }
  }

  #generation(topic: string): number {
    return this.state.subscriptions.get(topic)?.generation ?? 0;
  }

  token(answer: Json): void {
    const request = this.#requests.shift();
    if (request === undefined) throw new Error("no token request is pending");
    if (answer?.error !== undefined) this.#event({ type: "tokenFailed", request, message: answer.error });
    else this.#event({ type: "token", request, token: answer });
  }

  device(signal: "wake" | "online" | "offline" | "hide"): void {
    this.#event({ type: signal });
  }

  open(): void {}

  send(socket: number, frame: Json): void {
    const n = this.#n.get(socket) ?? 0;
    if (!this.#dropped.has(n)) this.#event({ type: "frame", n, text: JSON.stringify(frame) });
  }

  close(socket: number, code: number, reason: string): void {
    this.#event({ type: "closed", n: this.#n.get(socket) ?? 0, code, reason });
  }

  async quiet(): Promise<void> {
    // A token that is at hand arrives in a later turn, at the same time.
    while (this.clock.nextDue <= this.clock.time) this.clock.fireNext(this.clock.time);
  }

  async end(): Promise<void> {}
}
