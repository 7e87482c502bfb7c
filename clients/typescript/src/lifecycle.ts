// Signals of the device: one set of listeners for each running client, removed when it stops, so that `globalThis`
// keeps no client alive.

export type Signal = "wake" | "online" | "offline" | "hide";

export function watchDevice(signal: (signal: Signal) => void, target: any = globalThis): () => void {
  const document = target.document;
  const pairs: [any, string, (event: any) => void][] = [
    [target, "online", () => signal("online")],
    [target, "offline", () => signal("offline")],
    [target, "pageshow", () => signal("wake")],
    [target, "pagehide", (event) => { if (event.persisted) signal("hide"); }],
    [document, "resume", () => signal("wake")],
    [document, "visibilitychange", () => { if (document.visibilityState === "visible") signal("wake"); }],
  ];
  for (const [on, name, listener] of pairs) on?.addEventListener?.(name, listener);
  return () => { for (const [on, name, listener] of pairs) on?.removeEventListener?.(name, listener); };
}
