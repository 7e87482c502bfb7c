// The API key: in sessionStorage alone, so that it ends with the tab.
import { store } from "./store";

const NAME = "realtime-console-key";

/** What the server says about itself before there is a key. */
export interface Settings {
  dev: boolean;
  websocket_path: string;
}

function kept(): string | null {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null; // A browser that refuses storage: the key lives as long as the page.
  }
}

export const key = store<string | null>(kept());
/** Why the person has to sign in again. */
export const farewell = store<string | null>(null);
export const settings = store<Settings>({ dev: false, websocket_path: "/ws" });

export function signIn(value: string): void {
  try {
    sessionStorage.setItem(NAME, value);
  } catch {
    // As above.
  }
  farewell.set(null);
  key.set(value);
}

export function signOut(reason: string | null = null): void {
  try {
    sessionStorage.removeItem(NAME);
  } catch {
    // As above.
  }
  farewell.set(reason);
  key.set(null);
}
