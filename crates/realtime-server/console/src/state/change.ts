// Following an address after the view is shown.
import { useEffect, useRef } from "preact/hooks";

/** Runs `take` when `about` changes, and not at first: what the person has typed by then stays. */
export function useChange(about: string, take: () => void): void {
  const known = useRef(about);
  useEffect(() => {
    if (known.current === about) return;
    known.current = about;
    take();
  });
}
