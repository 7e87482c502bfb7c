// A line chart in SVG: the values of a time window, and the holes between them.
const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [600, 100];

function svg(tag, attributes = {}) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** The times between which samples are missing: `[from, to]`. */
export function holes(samples) {
  return samples.flatMap(({ time, every_ms }, i) => {
    const next = samples[i + 1]?.time;
    return next - time > 3 * every_ms ? [[time, next]] : [];
  });
}

/** A card with a title, the newest value and the chart. `show(samples, from, to)` draws it. */
export function chart({ key, title, unit, max }) {
  const card = Object.assign(document.createElement("section"), { className: "card chart" });
  const heading = Object.assign(document.createElement("h2"), { textContent: title });
  const value = Object.assign(document.createElement("p"), { className: "value", textContent: "–" });
  const range = Object.assign(document.createElement("p"), { className: "dim", textContent: "no samples yet" });
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  const axis = Object.assign(document.createElement("p"), { className: "axis dim" });
  axis.append(...["2 minutes ago", "now"].map((textContent) => Object.assign(document.createElement("span"), { textContent })));
  card.append(heading, value, range, picture, axis);

  function show(samples, from, to) {
    const values = samples.map((sample) => sample[key]);
    const top = max ?? Math.max(1, ...values) * 1.2;
    const x = (time) => (((time - from) / (to - from)) * WIDTH).toFixed(1);
    const y = (number) => (HEIGHT - (number / top) * HEIGHT).toFixed(1);
    const between = holes(samples);
    const begins = new Set(between.map(([, end]) => end));
    const line = samples.map((sample, i) => `${i === 0 || begins.has(sample.time) ? "M" : "L"}${x(sample.time)} ${y(sample[key])}`).join("");
    const bands = between.map(([start, end]) => svg("rect", { x: x(start), y: 0, width: x(end) - x(start), height: HEIGHT }));
    picture.replaceChildren(...bands, svg("path", { d: line }));
    const shown = (number) => `${number.toFixed(1)}${unit}`;
    if (values.length) {
      value.textContent = shown(values.at(-1));
      range.textContent = `highest ${shown(Math.max(...values))}, lowest ${shown(Math.min(...values))}`;
    }
    picture.setAttribute("aria-label", `${title} of the last two minutes: ${range.textContent}`);
  }
  return { card, show };
}
