// A chart of the last minutes, as SVG.
import { useEffect, useRef, useState } from "preact/hooks";
import { area, ceiling, line, runs, x, y, type Frame, type Point } from "../lib/chart";
import { clock, short } from "../lib/format";

interface Props {
  title: string;
  /** After the value: "/s". */
  unit: string;
  points: Point[];
  from: number;
  to: number;
  format(value: number): string;
  height: number;
  /** With an axis. */
  large?: boolean;
  warn?: boolean;
}

const AXIS = 36;

export function Chart({ title, unit, points, from, to, format, height, large, warn }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [pointed, setPointed] = useState<Point>();
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => entry && setWidth(Math.floor(entry.contentRect.width)));
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  const values = points.map((point) => point.value);
  const left = large ? AXIS : 0;
  const frame: Frame = { from, to, top: ceiling(values), width: Math.max(0, width - left), height };
  const now = points[points.length - 1];
  const shown = pointed ?? now;
  const most = values.length ? Math.max(...values) : 0;
  const point = (event: PointerEvent): void => {
    const bounds = box.current?.getBoundingClientRect();
    if (!bounds || points.length === 0) return;
    const at = from + ((event.clientX - bounds.left - left) / frame.width) * (to - from);
    setPointed(points.reduce((best, other) => (Math.abs(other.at - at) < Math.abs(best.at - at) ? other : best)));
  };
  const label = now ? `${title}: now ${format(now.value)}${unit}, at most ${format(most)}${unit} in the last 5 minutes` : `${title}: no figures yet`;
  return (
    <figure class={`chart${large ? " large" : ""}${warn && most > 0 ? " warn" : ""}`}>
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="chart-value">
          {shown ? format(shown.value) : "–"}
          <small>{shown ? unit : ""}</small>
        </span>
        <span class="soft chart-note">{pointed ? `at ${clock(pointed.at).slice(0, 8)}` : `peak ${format(most)}${unit}`}</span>
      </figcaption>
      <div ref={box} class="plot" onPointerMove={point} onPointerLeave={() => setPointed(undefined)}>
        <svg role="img" aria-label={label} width={width} height={height + (large ? 20 : 2)}>
          <g transform={`translate(${left} 1)`}>
            {large &&
              [0, 0.5, 1].map((part) => (
                <g key={part}>
                  <line class="grid" x1={0} x2={frame.width} y1={height * (1 - part)} y2={height * (1 - part)} />
                  <text class="tick" x={-8} y={height * (1 - part) + (part === 1 ? 10 : 4)} text-anchor="end">
                    {short(frame.top * part)}
                  </text>
                </g>
              ))}
            {!large && <line class="grid" x1={0} x2={frame.width} y1={height} y2={height} />}
            {runs(points).map((run) => (
              <g key={run[0]?.at}>
                <path class="area" d={area(frame, run)} />
                <path class="line" d={line(frame, run)} />
              </g>
            ))}
            {pointed && <line class="cursor" x1={x(frame, pointed.at)} x2={x(frame, pointed.at)} y1={0} y2={height} />}
            {pointed && <circle class="dot" cx={x(frame, pointed.at)} cy={y(frame, pointed.value)} r={3} />}
            {large &&
              (frame.width < 480 ? [4, 2, 0] : [5, 4, 3, 2, 1, 0]).map((minutes) => (
                <text key={minutes} class="tick" x={frame.width * (1 - minutes / 5)} y={height + 16} text-anchor={minutes === 0 ? "end" : minutes === 5 ? "start" : "middle"}>
                  {minutes === 0 ? "now" : `${minutes} min`}
                </text>
              ))}
          </g>
        </svg>
      </div>
    </figure>
  );
}
