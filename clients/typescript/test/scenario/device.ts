// The events of a browser, where there is none: listeners are counted, so that a test sees one that was left.

export class Device {
  readonly listeners: { name: string; listener: (event: unknown) => void }[] = [];
  readonly #document = { visibilityState: "visible" };

  /** Puts itself in the place of a browser's globals; returns the way back. */
  install(): () => void {
    const target = globalThis as any;
    target.addEventListener = (name: string, listener: (event: unknown) => void, { signal }: { signal: AbortSignal }) => {
      const one = { name, listener };
      this.listeners.push(one);
      signal.addEventListener("abort", () => this.listeners.splice(this.listeners.indexOf(one), 1));
    };
    target.document = this.#document;
    return () => {
      delete target.addEventListener;
      delete target.document;
    };
  }

  /** An event of the window, or one of the document on its way through it. */
  fire(name: string, event: object = {}): void {
    for (const one of [...this.listeners]) if (one.name === name) one.listener({ type: name, ...event });
  }

  signal(signal: "wake" | "online" | "offline" | "hide"): void {
    if (signal === "wake") {
      this.fire("visibilitychange");
      this.fire("pageshow", { persisted: true });
    } else if (signal === "hide") {
      this.fire("pagehide", { persisted: true });
    } else {
      this.fire(signal);
    }
  }
}
