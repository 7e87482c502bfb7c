// Following what is published, while it is: a bounded list, and the number of what is missing in it.
import { useEffect, useRef, useState } from "preact/hooks";
import { Problem } from "../api/http";
import { readLines } from "../api/lines";
import type { TraceEvent, TraceRequest } from "../api/types";

/** Events that are kept, newest first; older ones leave the list. */
export const KEPT = 500;
/** How often the list is drawn. */
const DRAW_MS = 250;
/** How long the server is asked to follow; then the page asks again. */
const SECONDS = 600;

export interface TailEvent extends TraceEvent {
  n: number;
}

export interface Tail {
  events: TailEvent[];
  live: boolean;
  error: Error | undefined;
  /** Events that the server left out, because this page read too slowly. */
  skipped: number;
  /** Events that have arrived since the pause and are kept. */
  waiting: number;
  /** Events that left the bounded list while it was paused, before they were shown. */
  unseen: number;
}

const START: Tail = { events: [], live: false, error: undefined, skipped: 0, waiting: 0, unseen: 0 };

/** The events of `request`, or of nothing while it is undefined. While `paused` the list stands still. */
export function useTail(request: TraceRequest | undefined, paused: boolean): { tail: Tail; clear(): void; restart(): void } {
  const [tail, setTail] = useState<Tail>(START);
  const [attempt, setAttempt] = useState(0);
  const about = request && JSON.stringify(request);
  const fresh = useRef<TailEvent[]>([]);
  const lost = useRef({ skipped: 0, unseen: 0 });
  const still = useRef(paused);
  still.current = paused;

  useEffect(() => {
    setTail(START);
    fresh.current = [];
    lost.current = { skipped: 0, unseen: 0 };
    if (!about) return;
    const abort = new AbortController();
    let n = 0;
    const receive = (event: TraceEvent): void => {
      if (event.event === "skipped") lost.current.skipped += event.skipped ?? 0;
      if (event.event === "started") setTail((old) => ({ ...old, live: true, error: undefined }));
      if (["started", "alive", "ended", "skipped"].includes(event.event)) return;
      fresh.current.unshift({ ...event, n: n++ });
      if (fresh.current.length > KEPT) {
        fresh.current.length = KEPT;
        if (still.current) lost.current.unseen += 1;
      }
    };
    const follow = async (): Promise<void> => {
      let ended = "";
      const body = { ...(JSON.parse(about) as TraceRequest), payloads: true, seconds: SECONDS };
      do {
        ended = "";
        await readLines<TraceEvent>("/trace", body, abort.signal, (event) => {
          if (event.event === "ended") ended = event.reason ?? "";
          receive(event);
        });
      } while (ended === "time");
      throw new Error(ended === "stopping" ? "The server stops. Start again when it is back." : "The tail was cut off. Start it again.");
    };
    follow().catch((error: Error) => {
      const known = error instanceof Problem || !(error instanceof TypeError) ? error : new Error("The tail was cut off. Start it again.");
      if (!abort.signal.aborted) setTail((old) => ({ ...old, live: false, error: known }));
    });
    const timer = setInterval(() => {
      setTail((old) => {
        const { skipped, unseen } = lost.current;
        const waiting = still.current ? fresh.current.length : 0;
        if (still.current || fresh.current.length === 0) {
          return old.skipped === skipped && old.unseen === unseen && old.waiting === waiting ? old : { ...old, skipped, unseen, waiting };
        }
        const events = [...fresh.current, ...old.events].slice(0, KEPT);
        fresh.current = [];
        return { ...old, events, skipped, unseen, waiting: 0 };
      });
    }, DRAW_MS);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [about, attempt]);

  const clear = (): void => setTail((old) => ({ ...old, events: [] }));
  return { tail, clear, restart: () => setAttempt(attempt + 1) };
}
