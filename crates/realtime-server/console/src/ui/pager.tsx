// Forward and back through a list that the server gives by cursor.
import { useState } from "preact/hooks";

export interface Cursor {
  after: string | undefined;
  page: number;
  forward(next: string): void;
  back(): void;
}

/** The way through a list; it begins again when `about` changes. */
export function useCursor(about: string): Cursor {
  const [state, setState] = useState<{ about: string; way: string[] }>({ about, way: [] });
  const way = state.about === about ? state.way : [];
  return {
    after: way[way.length - 1],
    page: way.length + 1,
    forward: (next) => setState({ about, way: [...way, next] }),
    back: () => setState({ about, way: way.slice(0, -1) }),
  };
}

export function Pager({ cursor, next, what, shown }: { cursor: Cursor; next: string | undefined; what: string; shown: number | undefined }) {
  if (cursor.page === 1 && !next) return null;
  return (
    <nav class="pager" aria-label={`Pages of ${what}`}>
      <button type="button" disabled={cursor.page === 1} onClick={cursor.back}>
        Previous
      </button>
      <button type="button" disabled={!next} onClick={() => next && cursor.forward(next)}>
        Next
      </button>
      <span class="soft" aria-live="polite">
        Page {cursor.page}
        {shown === 0 && next ? ": none here, more may follow" : ""}
      </span>
    </nav>
  );
}
