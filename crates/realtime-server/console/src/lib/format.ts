// Numbers, sizes and times as text.

const whole = new Intl.NumberFormat("en");
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export const count = (value: number): string => whole.format(value);

export const counted = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`;

export function bytes(value: number): string {
  let unit = 0;
  let rest = value;
  while (rest >= 1024 && unit < UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? rest : rest < 10 ? rest.toFixed(1) : Math.round(rest)} ${UNITS[unit]}`;
}

/** A rate per second: three digits are enough to compare. */
export function rate(value: number): string {
  if (value === 0) return "0";
  if (value < 0.1) return "< 0.1";
  return value < 10 ? value.toFixed(1) : count(Math.round(value));
}

/** A number on an axis: short. */
export function short(value: number): string {
  if (value >= 1_000_000) return `${trimmed(value / 1_000_000)}M`;
  if (value >= 1000) return `${trimmed(value / 1000)}k`;
  return trimmed(value);
}

const trimmed = (value: number): string => String(Math.round(value * 10) / 10);

export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

export function ago(time: string, now = Date.now()): string {
  const past = now - Date.parse(time);
  return past < 1000 ? "now" : `${duration(past)} ago`;
}

export function until(time: string, now = Date.now()): string {
  const left = Date.parse(time) - now;
  return left <= 0 ? "ended" : `in ${duration(left)}`;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** Local time of day with milliseconds. */
export function clock(time: string | number): string {
  const date = new Date(time);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** Local date and time. */
export function date(time: string | number): string {
  const value = new Date(time);
  if (Number.isNaN(value.getTime())) return String(time);
  return `${value.getFullYear()}-${two(value.getMonth() + 1)}-${two(value.getDate())} ${two(value.getHours())}:${two(value.getMinutes())}:${two(value.getSeconds())}`;
}

/** The end of an id, which differs between ids of the same time. */
export const shortId = (id: string): string => (id.length > 13 ? `…${id.slice(-12)}` : id);

/** `topic order:1` for `{topic: "order:1"}`. */
export function recipients(to: unknown): string {
  if (Array.isArray(to)) return to.map(recipients).join(", ");
  if (typeof to === "string") return to === "all" ? "everyone" : to;
  if (typeof to === "object" && to !== null) return Object.entries(to).map(([kind, name]) => `${kind} ${name}`).join(", ");
  return "";
}
