// Signals of the device: one set of listeners for each running client, removed when it stops, so that `globalThis`
// keeps no client alive.

export type Signal = "wake" | "online" | "offline" | "hide";

/** Returns the way to stop. */
export function watchDevice(signal: (signal: Signal) => void): () => void {
  const window = globalThis as any;
  const watching = new AbortController();
  const receive = ({ type, persisted }: any): void => {
    if (type === "online" || type === "offline") signal(type);
    else if (type === "pagehide") persisted && signal("hide");
    else if (type !== "visibilitychange" || window.document.visibilityState === "visible") signal("wake");
  };
  // Events of the document pass the window first.
  for (const type of ["online", "offline", "pageshow", "pagehide", "resume", "visibilitychange"]) window.addEventListener?.(type, receive, { capture: true, signal: watching.signal });
  return () => watching.abort();
}
