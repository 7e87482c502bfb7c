// Runs a scenario on a subject, step by step.
import { VirtualClock } from "./clock.js";
import { difference, LANES, type Item, type Json, type Kind, type Scenario, type Step } from "./format.js";
import type { Subject } from "./subject.js";

export async function run(scenario: Scenario, make: (clock: VirtualClock) => Subject | Promise<Subject>): Promise<void> {
  const clock = new VirtualClock();
  clock.fraction = scenario.random ?? 0.5;
  const subject = await make(clock);
  const runner = new Runner(scenario, subject, clock);
  try {
    for (const [i, step] of scenario.steps.entries()) {
      try {
        await runner.step(step);
      } catch (error) {
        throw new Error(`${scenario.file}, step ${i + 1} ${JSON.stringify(step)}: ${(error as Error).message}\n${runner.transcript()}`);
      }
    }
    runner.nothingLeft();
  } finally {
    await subject.end();
  }
}

class Runner {
  readonly #taken = new Set<Item>();
  #message = 0;

  constructor(readonly scenario: Scenario, readonly subject: Subject, readonly clock: VirtualClock) {
    subject.onItem = (item) => {
      for (const reaction of [...subject.reactions]) {
        if (reaction.kind !== item.kind || difference(reaction.pattern, item.value)) continue;
        subject.reactions.splice(subject.reactions.indexOf(reaction), 1);
        reaction.run();
      }
    };
  }

  async step(step: Step): Promise<void> {
    const { subject, clock } = this;
    const from = subject.items.length;
    if ("at" in step) await clock.advanceTo(step["at"], () => subject.quiet());
    if ("after" in step) await clock.advanceTo(clock.now() + step["after"], () => subject.quiet());
    if ("sleep" in step) clock.sleep(step["sleep"]);
    if ("random" in step) clock.fraction = step["random"];
    if ("client" in step) this.#client(step["client"]);
    if ("on" in step) this.#react(step);
    if ("token" in step) subject.token(step["token"]);
    if ("device" in step) subject.device(step["device"]);
    if ("server" in step) await this.#server(step["server"], step["socket"] ?? subject.dials);
    await subject.quiet();
    if ("expect" in step) for (const expected of [step["expect"]].flat()) await this.#expect(expected, step);
    if ("never" in step) await this.#never(step["never"], step["for"], from);
  }

  #client(call: Json): void {
    for (const [name, args] of Object.entries(typeof call === "string" ? { [call]: {} } : call)) this.subject.call(name, args);
  }

  #react(step: Step): void {
    const [[kind, pattern]] = Object.entries(step["on"]) as [[Kind, Json]];
    this.subject.reactions.push({
      kind,
      pattern,
      run: () => {
        for (const call of [step["do"]].flat()) {
          if (call === "throw") throw new Error("a handler of the application failed");
          this.#client(call);
        }
      },
    });
  }

  async #server(action: Json, socket: number): Promise<void> {
    const { subject } = this;
    if (action === "open") return subject.open(socket);
    if (action === "cut") return subject.close(socket, 1006, "");
    for (const [verb, args] of Object.entries(action) as [string, Json][]) {
      if (verb === "accept") {
        subject.open(socket);
        subject.send(socket, frame("welcome", this.#welcome(socket, args)));
      } else if (verb === "send") {
        subject.send(socket, { timestamp: TIME, ...args });
      } else if (verb === "message") {
        subject.send(socket, this.#publication(args));
      } else if (verb === "gap" || verb === "closing" || verb === "subscribed" || verb === "unsubscribed") {
        subject.send(socket, frame(verb, args));
      } else if (verb === "close") {
        subject.close(socket, args.code, args.reason ?? "");
      } else if (verb === "reply") {
        this.#reply(args, socket);
      } else {
        throw new Error(`the server has no verb ${verb}`);
      }
      await subject.quiet();
    }
  }

  /** Replies to the oldest command that the pattern fits. */
  #reply({ to, ack, error }: Json, socket: number): void {
    const { unanswered } = this.subject;
    const index = unanswered.findIndex(({ command }) => !difference(to, command));
    const found = unanswered[index];
    if (!found) throw new Error(`no such command waits for a reply; these do: ${JSON.stringify(unanswered)}`);
    unanswered.splice(index, 1);
    const { id } = found.command;
    this.subject.send(socket, error ? frame("error", { id, ...ERRORS[error.code], ...error }) : frame("ack", { id, ...ack }));
  }

  #welcome(socket: number, overrides: Json): Json {
    const fields = {
      connection: `connection-${socket}`, user: "alice", roles: [], client: this.scenario.options?.client ?? "tab-1",
      protocol: "realtime.v1", features: ["history"], server: "realtime/0.1.0", time: TIME, ping_ms: 25_000,
      reconnect: { min_ms: 250, max_ms: 30_000, spread_ms: 1_000 }, limits: { burst: 100, subscriptions: 100 },
      streams: {}, resumed: false, resume: `ticket-${socket}`, ...overrides,
    };
    return Object.fromEntries(Object.entries(fields).filter(([, value]: [string, Json]) => !(value !== null && typeof value === "object" && "$absent" in value)));
  }

  #publication(args: Json): Json {
    const { topic, offset } = args;
    const id = `019ab1c2-7b1e-7c3a-9d54-${String(++this.#message).padStart(12, "0")}`;
    const stream = offset !== undefined && topic !== undefined ? { stream: `topic:${topic}` } : {};
    return { type: "news", payload: offset ?? null, timestamp: TIME, id, ...stream, ...args };
  }

  /** The next item of the lane; in a loose lane the next that fits. */
  #find(kind: Kind, pattern: Json): { item?: Item; wrong?: string } {
    const { lane, strict } = LANES[kind];
    const waiting = this.subject.items.filter((item) => LANES[item.kind].lane === lane && !this.#taken.has(item));
    for (const item of waiting) {
      const wrong = item.kind === kind ? difference(pattern, item.value) : `the next is a ${item.kind}`;
      if (!wrong) return { item };
      if (strict) return { wrong };
    }
    return {};
  }

  async #expect(expected: Json, step: Step): Promise<void> {
    const [[kind, pattern]] = Object.entries(expected) as [[Kind, Json]];
    const until = this.clock.now() + (step["within"] ?? 0);
    for (;;) {
      const { item, wrong } = this.#find(kind, pattern);
      if (wrong) throw new Error(wrong);
      if (item) {
        this.#taken.add(item);
        const [from, to] = step["between"] ?? [0, Infinity];
        if (item.at < from || item.at > to) throw new Error(`it came at ${item.at}`);
        return;
      }
      if (this.clock.nextDue > until) throw new Error(`there is no such ${kind}`);
      await this.clock.advanceTo(this.clock.nextDue, () => this.subject.quiet());
      await this.subject.quiet();
    }
  }

  /** Since the beginning of the step, without what it expects. */
  async #never(pattern: Json, ms: number, from: number): Promise<void> {
    await this.clock.advanceTo(this.clock.now() + ms, () => this.subject.quiet());
    const [[kind, value]] = Object.entries(pattern) as [[Kind, Json]];
    const seen = this.subject.items.slice(from).find((item) => item.kind === kind && !this.#taken.has(item) && !difference(value, item.value));
    if (seen) throw new Error(`at ${seen.at} there is ${JSON.stringify(seen.value)}`);
  }

  nothingLeft(): void {
    const left = this.subject.items.filter((item) => LANES[item.kind].strict && !this.#taken.has(item) && !(item.kind === "token" && this.scenario.token !== undefined));
    if (left.length) throw new Error(`${this.scenario.file}: not expected: ${left.map(shown).join("\n")}\n${this.transcript()}`);
  }

  transcript(): string {
    return this.subject.items.map((item) => `  ${this.#taken.has(item) ? " " : "?"} ${shown(item)}`).join("\n");
  }
}

const TIME = "2026-11-23T13:00:00.123Z";

const ERRORS: Record<string, Json> = {
  forbidden: { status: 403, retry: false, message: "not granted" },
  rate_limited: { status: 429, retry: true, message: "too many commands" },
  unavailable: { status: 503, retry: true, message: "not now" },
  unauthorized: { status: 401, retry: false, message: "not accepted" },
  bad_request: { status: 400, retry: false, message: "invalid" },
  conflict: { status: 409, retry: false, message: "used for another message" },
};

function frame(type: string, payload: Json): Json {
  return { type, payload, timestamp: TIME };
}

function shown(item: Item): string {
  return `${String(item.at).padStart(6)} ${item.kind} ${JSON.stringify(item.value)}`;
}
