// A list or figure that is read again while the person looks at it.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

/** The shortest time between two reads of the same thing. */
const SHORTEST_MS = 1000;

export interface Polled<T> {
  data: T | undefined;
  error: Error | undefined;
  /** Reads at once. */
  refresh(): void;
}

/**
 * Reads with `load` every `everyMs` while the page is visible: never two at a time, never when hidden. When `about`
 * changes it is another thing: the old data goes, and a late response is dropped.
 */
export function usePoll<T>(load: (signal: AbortSignal) => Promise<T>, everyMs: number, about: string): Polled<T> {
  const [state, setState] = useState<{ about: string; data?: T; error?: Error }>({ about });
  const latest = useRef(load);
  latest.current = load;
  const again = useRef<() => void>(() => {});

  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let reading = false;
    let repeat = false;
    const read = async (): Promise<void> => {
      clearTimeout(timer);
      if (document.hidden) return;
      if (reading) {
        repeat = true;
        return;
      }
      reading = true;
      try {
        const data = await latest.current(abort.signal);
        if (!abort.signal.aborted) setState({ about, data });
      } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error(String(thrown));
        if (!abort.signal.aborted) setState((old) => (old.about === about && old.data !== undefined ? { about, data: old.data, error } : { about, error }));
      }
      reading = false;
      if (abort.signal.aborted) return;
      clearTimeout(timer);
      timer = setTimeout(read, repeat ? SHORTEST_MS / 4 : Math.max(SHORTEST_MS, everyMs));
      repeat = false;
    };
    const shown = (): void => {
      if (document.hidden) clearTimeout(timer);
      else void read();
    };
    again.current = () => void read();
    document.addEventListener("visibilitychange", shown);
    void read();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, [about, everyMs]);

  const refresh = useCallback(() => again.current(), []);
  const own = state.about === about;
  return { data: own ? state.data : undefined, error: own ? state.error : undefined, refresh };
}
