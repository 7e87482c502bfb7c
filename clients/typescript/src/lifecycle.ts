// Signals of the device: one set of listeners for each running client, removed when it stops, so that `globalThis`
// keeps no client alive.

export type Signal = "wake" | "online" | "offline" | "hide";

/** Returns the way to stop. */
export function watchDevice(signal: (signal: Signal) => void): () => void {
  const { document } = globalThis as any;
  const watching = new AbortController();
  const on = (target: any, name: string, listener: (event: any) => void): void => target?.addEventListener?.(name, listener, { signal: watching.signal });
  on(globalThis, "online", () => signal("online"));
  on(globalThis, "offline", () => signal("offline"));
  on(globalThis, "pageshow", () => signal("wake"));
  on(globalThis, "pagehide", ({ persisted }) => { if (persisted) signal("hide"); });
  on(document, "resume", () => signal("wake"));
  on(document, "visibilitychange", () => { if (document.visibilityState === "visible") signal("wake"); });
  return () => watching.abort();
}
