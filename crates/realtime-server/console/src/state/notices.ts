// One message for the person about what an action did.
import { store } from "./store";

export interface Notice {
  text: string;
  bad: boolean;
}

/** How long a notice without a fault is shown. */
const SHOWN_MS = 10_000;

export const notice = store<Notice | null>(null);
let timer: ReturnType<typeof setTimeout> | undefined;

export function say(text: string): void {
  clearTimeout(timer);
  notice.set({ text, bad: false });
  timer = setTimeout(dismiss, SHOWN_MS);
}

export function complain(error: unknown): void {
  clearTimeout(timer);
  notice.set({ text: error instanceof Error ? error.message : String(error), bad: true });
}

export function dismiss(): void {
  clearTimeout(timer);
  notice.set(null);
}
