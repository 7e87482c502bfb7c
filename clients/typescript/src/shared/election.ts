// Which tab has the socket: the one that holds the lock. The browser gives the lock to the next tab at once when a tab ends,
// however it ends.

export interface Locks {
  request(name: string, options: { signal?: AbortSignal; steal?: boolean }, run: () => Promise<void>): Promise<unknown>;
}

export class Election {
  #release: (() => void) | undefined;
  #waiting: AbortController | undefined;

  constructor(private readonly locks: Locks, private readonly name: string, private readonly won: () => void, private readonly lost: () => void) {}

  /** Waits for the lock, until `leave`. */
  join(): void {
    if (this.#waiting || this.#release) return;
    this.#waiting = new AbortController();
    this.#request({ signal: this.#waiting.signal });
  }

  /** Takes the lock from a tab that does not do its work. */
  steal(): void {
    if (this.#release) return;
    this.#waiting?.abort();
    this.#waiting = undefined;
    this.#request({ steal: true });
  }

  leave(): void {
    this.#waiting?.abort();
    this.#waiting = undefined;
    this.#release?.();
  }

  #request(options: { signal?: AbortSignal; steal?: boolean }): void {
    let held: (() => void) | undefined;
    const run = (): Promise<void> => {
      this.#waiting = undefined;
      this.won();
      return new Promise((resolve) => {
        held = () => {
          this.#release = undefined;
          resolve();
        };
        this.#release = held;
      });
    };
    this.locks.request(this.name, options, run).catch(() => {
      // Aborted before it was held, or stolen while it was.
      if (!held || this.#release !== held) return;
      this.#release = undefined;
      this.lost();
    });
  }
}

/** Holds a lock as long as this tab lives or until `release`: so that others see its end. `held`: others may wait for it. */
export function holdWhileAlive(locks: Locks, name: string): { held: Promise<void>; release(): void } {
  let release = (): void => {};
  const ended = new Promise<void>((resolve) => { release = resolve; });
  const held = new Promise<void>((resolve) => {
    locks.request(name, {}, () => { resolve(); return ended; }).catch(() => resolve());
  });
  return { held, release };
}

/** Calls back when no tab holds the lock any more. */
export function whenFree(locks: Locks, name: string, run: () => void): void {
  void locks.request(name, {}, async () => run());
}
