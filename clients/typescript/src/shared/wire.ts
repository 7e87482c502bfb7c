// What tabs send each other over the channel. A hub is the tab with the socket; a port is one connection of one tab to it.

/** From a tab to the hub. */
export type ToHub =
  | { kind: "who"; tab: string }
  | { kind: "hello"; hub: string; tab: string; port: string }
  | { kind: "command"; hub: string; port: string; text: string }
  | { kind: "bye"; hub: string; port: string };

/** From the hub to the tabs. `down`: it has no connection, and makes none right now. `end`: the user must act first. */
export type ToTabs =
  | { kind: "hub"; hub: string; tab?: string | undefined }
  | { kind: "up"; hub: string }
  | { kind: "down"; hub: string; port: string; hidden: boolean }
  | { kind: "frame"; hub: string; ports: string[]; text: string }
  | { kind: "close"; hub: string; ports: string[]; reason: string }
  | { kind: "ticket"; hub: string; ticket: string }
  | { kind: "end"; hub: string; code: number | string; message: string };

/** What the hub needs of a connected tab. */
export interface Port {
  readonly key: string;
  readonly tab: string;
  /** The tab of the hub itself: its machine makes the real connection, and keeps it alive. */
  readonly own: boolean;
  /** Topics that the tab subscribes to; with a hold while it waits for what comes after its own position. */
  readonly topics: Map<string, Hold | undefined>;
  /** Topics whose presence the tab watches. */
  readonly watches: Set<string>;
  /** Publications in flight whose echo the tab does not want; meanwhile its publications wait. */
  readonly quiet: Set<number>;
  waiting: { id: string; text: string }[];
}

/** Frames that another tab caused, until the first one that is for this tab. */
export interface Hold { next: number; frames: string[] }

export function portOf(key: string, tab: string, own: boolean): Port {
  return { key, tab, own, topics: new Map(), watches: new Set(), quiet: new Set(), waiting: [] };
}

export function control(type: string, payload: object): string {
  return JSON.stringify({ type, payload, timestamp: new Date().toISOString() });
}

/** 128 random bits, for the name of a tab, a hub or a port. */
export function randomName(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}
