// A client of the WebSocket endpoint for trying things out: it shows each frame as it is, and reconnects.
import { send as request, address } from "../api/http";
import { settings } from "./session";
import { store } from "./store";

/** Frames that are kept, newest first. */
const KEPT = 500;
const DEFAULT_RECONNECT = { min_ms: 250, max_ms: 30_000, spread_ms: 1000 };

export interface Claims {
  user: string;
  roles: string[];
  grants: string[];
}

export interface Frame {
  n: number;
  type: string;
  payload: Record<string, unknown>;
  timestamp?: string;
  topic?: string;
  stream?: string;
  offset?: number;
}

export interface Trial {
  phase: "closed" | "connecting" | "open" | "waiting";
  text: string;
  user: string;
  connection: string;
  subscriptions: string[];
  frames: Frame[];
}

const CLOSED: Trial = { phase: "closed", text: "not connected", user: "", connection: "", subscriptions: [], frames: [] };

export const trial = store<Trial>(CLOSED);
const change = (part: Partial<Trial>): void => trial.set({ ...trial.get(), ...part });

let socket: WebSocket | undefined;
/** What the person wants: the claims, and the topics to subscribe again after a reconnect. */
let wanted: { claims: Claims; topics: Set<string> } | undefined;
let reconnect = DEFAULT_RECONNECT;
let attempt = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let commands = 0;
let frames = 0;
const asked = new Map<number, { action: string; topic: string }>();

// Whether a client may reconnect after this close code: not after its own close, a refusal or an application's 4000 to
// 4199. This page can get a new token, so it also reconnects after 4601 and 4610.
export function reconnectsAfter(code: number): boolean {
  if (code === 1000 || code === 1008 || code === 4603) return false;
  return !((code >= 4000 && code < 4200) || (code >= 4400 && code < 4500));
}

function wait(text: string, afterMs: number): void {
  const longest = Math.min(reconnect.max_ms, reconnect.min_ms * 2 ** attempt++);
  const delay = Math.max(afterMs, reconnect.min_ms) + Math.random() * longest;
  change({ phase: "waiting", text: `${text}; reconnecting in ${(delay / 1000).toFixed(1)} s` });
  timer = setTimeout(() => void open(), delay);
}

async function open(): Promise<void> {
  const mine = wanted;
  if (!mine) return;
  change({ phase: "connecting", text: attempt ? "reconnecting" : "connecting" });
  let token: string;
  try {
    ({ token } = (await (await request("POST", address("/dev/token"), { body: mine.claims })).json()) as { token: string });
  } catch (error) {
    if (wanted !== mine) return;
    // Without a response the server is unreachable; a refusal would be the same the next time.
    if (attempt && (error as { status?: number }).status === 0) wait("unreachable", 0);
    else {
      wanted = undefined;
      change({ phase: "closed", text: (error as Error).message });
    }
    return;
  }
  if (wanted !== mine) return;
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const opened = new WebSocket(`${scheme}://${location.host}${settings.get().websocket_path}`, ["realtime.v1", `bearer.${token}`]);
  socket = opened;
  let afterMs = 0;
  opened.onmessage = ({ data }) => {
    const frame = JSON.parse(data as string) as Frame;
    if (frame.type === "closing") afterMs = Number(frame.payload["after_ms"] ?? 0);
    receive(frame);
  };
  opened.onclose = ({ code, reason }) => {
    if (socket === opened) socket = undefined;
    asked.clear();
    change({ subscriptions: [], connection: "", user: "" });
    const text = `closed ${code}${reason ? `: ${reason}` : ""}`;
    if (wanted !== mine) {
      if (!wanted) change({ phase: "closed", text });
    } else if (reconnectsAfter(code)) wait(text, afterMs);
    else {
      wanted = undefined;
      change({ phase: "closed", text });
    }
  };
}

function subscribed(topic: string, is: boolean): void {
  const others = trial.get().subscriptions.filter((other) => other !== topic);
  change({ subscriptions: is ? [...others, topic].sort() : others });
}

function receive(frame: Frame): void {
  change({ frames: [{ ...frame, n: frames++ }, ...trial.get().frames].slice(0, KEPT) });
  const { payload } = frame;
  const topic = String(payload?.["topic"]);
  switch (frame.type) {
    case "welcome":
      reconnect = { ...DEFAULT_RECONNECT, ...(payload["reconnect"] as object) };
      attempt = 0;
      change({ phase: "open", text: "connected", user: String(payload["user"]), connection: String(payload["connection"]) });
      // The subscriptions that the connection before had.
      for (const wantedTopic of wanted?.topics ?? []) command("subscribe", wantedTopic);
      break;
    case "ack": {
      const done = asked.get(Number(payload["id"]));
      asked.delete(Number(payload["id"]));
      if (!done) break;
      subscribed(done.topic, done.action === "subscribe");
      if (done.action === "subscribe") wanted?.topics.add(done.topic);
      else wanted?.topics.delete(done.topic);
      break;
    }
    case "error":
      asked.delete(Number(payload["id"]));
      break;
    case "subscribed":
    case "unsubscribed":
      subscribed(topic, frame.type === "subscribed");
      break;
  }
}

export function command(action: "subscribe" | "unsubscribe", topic: string): void {
  commands += 1;
  asked.set(commands, { action, topic });
  socket?.send(JSON.stringify({ action, id: commands, topic }));
}

export function connect(claims: Claims): void {
  attempt = 0;
  clearTimeout(timer);
  wanted = { claims, topics: new Set() };
  void open();
}

export function disconnect(): void {
  clearTimeout(timer);
  wanted = undefined;
  if (socket) socket.close(1000);
  else change({ phase: "closed", text: "not connected" });
}

export const clear = (): void => change({ frames: [] });
