// Time that a test moves. Timers run in the order of their times; after each, what it caused may finish.
import type { Clock } from "../../src/driver.js";

interface Timer { id: number; due: number; run: () => void }

export class VirtualClock implements Clock {
  time = 0;
  fraction: number | (() => number) = 0.5;
  #timers: Timer[] = [];
  #next = 1;

  now(): number {
    return this.time;
  }

  random(): number {
    return typeof this.fraction === "number" ? this.fraction : this.fraction();
  }

  setTimeout(run: () => void, ms: number): number {
    const id = this.#next++;
    // As real ones: a longer time than 2^31 - 1 ms expires at once.
    this.#timers.push({ id, due: this.time + (ms > 2_147_483_647 ? 1 : ms), run });
    return id;
  }

  clearTimeout(id: unknown): void {
    this.#timers = this.#timers.filter((timer) => timer.id !== id);
  }

  get pending(): number {
    return this.#timers.length;
  }

  /** When the next timer is due. */
  get nextDue(): number {
    return Math.min(Infinity, ...this.#timers.map(({ due }) => due));
  }

  #fire(until: number): (() => void) | undefined {
    const [next] = this.#timers.filter(({ due }) => due <= until).sort((a, b) => a.due - b.due || a.id - b.id);
    if (!next) return undefined;
    this.clearTimeout(next.id);
    this.time = Math.max(this.time, next.due);
    return next.run;
  }

  /** Runs the next timer until this time; returns whether there was one. */
  fireNext(until: number): boolean {
    const run = this.#fire(until);
    run?.();
    return run !== undefined;
  }

  async advanceTo(time: number, quiet: () => Promise<void>): Promise<void> {
    for (let timers = 0; this.fireNext(time); timers++) {
      if (timers > 100_000) throw new Error("timers without end");
      await quiet();
    }
    this.time = Math.max(this.time, time);
  }

  /** The process sleeps: then all that is overdue runs, late, before anything else. */
  sleep(ms: number): void {
    this.time += ms;
    const overdue = this.#timers.filter(({ due }) => due <= this.time).sort((a, b) => a.due - b.due || a.id - b.id);
    for (const timer of overdue) {
      if (!this.#timers.includes(timer)) continue;
      this.clearTimeout(timer.id);
      timer.run();
    }
  }
}
