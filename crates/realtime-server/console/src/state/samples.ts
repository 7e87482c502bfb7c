// The figures of the server over the last minutes, and their rates.
import { get } from "../api/http";
import type { Stats } from "../api/types";
import { store } from "./store";

/** How far the charts go back. */
export const SPAN_MS = 300_000;
const OFTEN_MS = 1000;
const SELDOM_MS = 5000;

/** Rates per second between two reads; gauges at the second. */
export interface Sample {
  at: number;
  deliveries: number;
  publications: number;
  dropped: number;
  gaps: number;
  queued: number;
  connections: number;
  /** Of one core: 1 is a whole one. */
  cpu: number | undefined;
}

export interface Figures {
  stats: Stats | undefined;
  samples: Sample[];
  error: Error | undefined;
  /** When the reads began to fail, in milliseconds since 1970. */
  failedSince: number | undefined;
}

const NOTHING: Figures = { stats: undefined, samples: [], error: undefined, failedSince: undefined };

export const figures = store<Figures>(NOTHING);

/** Number of views that draw a chart now: without one the figures are read less often. */
let watchers = 0;

export function watchClosely(): () => void {
  watchers += 1;
  return () => void (watchers -= 1);
}

/** The sample between two reads; nothing if the counters began anew, because the server restarted. */
export function sample(before: Stats, after: Stats): Sample | undefined {
  const at = Date.parse(after.at);
  const elapsedMs = at - Date.parse(before.at);
  if (elapsedMs <= 0 || after.started_at !== before.started_at) return undefined;
  const rate = (from: number, to: number): number => Math.max(0, ((to - from) * 1000) / elapsedMs);
  const cpu = before.cpu_seconds !== undefined && after.cpu_seconds !== undefined ? rate(before.cpu_seconds, after.cpu_seconds) : undefined;
  return {
    at,
    deliveries: rate(before.deliveries_total, after.deliveries_total),
    publications: rate(before.publications_total, after.publications_total),
    dropped: rate(before.dropped_total, after.dropped_total),
    gaps: rate(before.gaps_total, after.gaps_total),
    queued: after.queued_bytes,
    connections: after.connections,
    cpu,
  };
}

/** Reads the figures while the page is visible, until the returned function is called. */
export function readFigures(): () => void {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last: Stats | undefined;
  let reading = false;
  const read = async (): Promise<void> => {
    clearTimeout(timer);
    if (document.hidden || reading) return;
    reading = true;
    try {
      const stats = await get<Stats>("/stats", {}, abort.signal);
      const at = Date.parse(stats.at);
      const next = last && sample(last, stats);
      last = stats;
      const samples = figures.get().samples.filter((old) => old.at > at - SPAN_MS - OFTEN_MS);
      if (next) samples.push(next);
      if (!abort.signal.aborted) figures.set({ stats, samples, error: undefined, failedSince: undefined });
    } catch (error) {
      if (!abort.signal.aborted) figures.set({ ...figures.get(), error: error as Error, failedSince: figures.get().failedSince ?? Date.now() });
    }
    reading = false;
    if (!abort.signal.aborted) timer = setTimeout(read, watchers > 0 ? OFTEN_MS : SELDOM_MS);
  };
  const shown = (): void => (document.hidden ? clearTimeout(timer) : void read());
  document.addEventListener("visibilitychange", shown);
  void read();
  return () => {
    abort.abort();
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", shown);
    figures.set(NOTHING);
  };
}
