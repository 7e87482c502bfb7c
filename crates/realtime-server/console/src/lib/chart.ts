// The geometry of a chart over time.

export interface Point {
  at: number;
  value: number;
}

/** Reads further apart than this leave a hole in the line: the page was hidden, or the server away. */
export const HOLE_MS = 12_000;

/** The top of the axis: 1, 2 or 5 times a power of ten, and at least `least`. */
export function ceiling(values: number[], least = 1): number {
  const top = Math.max(least, ...values);
  const power = 10 ** Math.floor(Math.log10(top));
  return ([1, 2, 5, 10].find((step) => step * power >= top) ?? 10) * power;
}

/** The runs of points without a hole. */
export function runs(points: Point[]): Point[][] {
  const all: Point[][] = [];
  let last: Point | undefined;
  for (const point of points) {
    if (!last || point.at - last.at > HOLE_MS) all.push([]);
    all[all.length - 1]!.push(point);
    last = point;
  }
  return all;
}

export interface Frame {
  from: number;
  to: number;
  top: number;
  width: number;
  height: number;
}

export const x = (frame: Frame, at: number): number => ((at - frame.from) / (frame.to - frame.from)) * frame.width;
export const y = (frame: Frame, value: number): number => frame.height - (value / frame.top) * frame.height;

export function line(frame: Frame, run: Point[]): string {
  return run.map((point, n) => `${n === 0 ? "M" : "L"}${x(frame, point.at).toFixed(1)} ${y(frame, point.value).toFixed(1)}`).join("");
}

export function area(frame: Frame, run: Point[]): string {
  const [first, last] = [run[0], run[run.length - 1]];
  if (!first || !last) return "";
  return `${line(frame, run)}L${x(frame, last.at).toFixed(1)} ${frame.height}L${x(frame, first.at).toFixed(1)} ${frame.height}Z`;
}
