// The events of a browser, where there is none: listeners are counted, so that a test sees one that was left.

export class Device {
  readonly listeners: { on: string; name: string; listener: (event: unknown) => void }[] = [];
  visibilityState = "visible";

  /** Puts itself in the place of a browser's globals; returns the way back. */
  install(): () => void {
    const target = globalThis as any;
    const part = (on: string) => ({
      addEventListener: (name: string, listener: (event: unknown) => void, { signal }: { signal: AbortSignal }) => {
        const one = { on, name, listener };
        this.listeners.push(one);
        signal.addEventListener("abort", () => this.listeners.splice(this.listeners.indexOf(one), 1));
      },
    });
    Object.assign(target, part("window"));
    target.document = Object.assign(part("document"), { visibilityState: "visible" });
    return () => {
      delete target.addEventListener;
      delete target.document;
    };
  }

  fire(on: string, name: string, event: unknown = {}): void {
    for (const one of [...this.listeners]) if (one.on === on && one.name === name) one.listener(event);
  }

  signal(signal: "wake" | "online" | "offline" | "hide"): void {
    if (signal === "wake") {
      this.fire("document", "visibilitychange");
      this.fire("window", "pageshow", { persisted: true });
    } else if (signal === "hide") {
      this.fire("window", "pagehide", { persisted: true });
    } else {
      this.fire("window", signal);
    }
  }
}
