// A live dashboard: loads the last two minutes of a topic, follows it, and shows what is missing after a gap.
import { connect } from "@realtime/client";
import { chart, holes } from "/chart.js";

const TOPIC = `metrics:${new URLSearchParams(location.search).get("host") ?? "local"}`;
const WINDOW_MS = 2 * 60_000;
const $ = (id) => document.getElementById(id);

const charts = [
  { key: "cpu", title: "CPU", unit: " %", max: 100 },
  { key: "memory", title: "Memory", unit: " %", max: 100 },
  { key: "load", title: "Load", unit: "" },
].map(chart);
$("charts").append(...charts.map(({ card }) => card));

/** What is shown, oldest first. */
let samples = [];
const sampleOf = ({ timestamp, payload }) => ({ ...payload, time: Date.parse(timestamp) });

/** Asked before every attempt to connect. */
async function token() {
  const response = await fetch("/token");
  if (response.status === 401) return null;
  if (!response.ok) throw new Error(`/token: ${response.status}`);
  return (await response.json()).token;
}

const { realtime } = await (await fetch("/config")).json();
const rt = connect({ url: realtime, token });
rt.onState(showState);
rt.on(TOPIC, "sample", (message) => {
  samples.push(sampleOf(message));
  show();
});

// Load, then follow: called first, and again after a gap. What is published meanwhile comes afterwards, once.
rt.subscribe(TOPIC, {
  getState: async ({ reason }) => {
    const page = await rt.history(`topic:${TOPIC}`, { limit: 200, reverse: true });
    const loaded = page.publications.reverse().map(sampleOf);
    // After a gap, the server may keep less than this page has: what is older stays.
    const begin = loaded[0]?.time ?? Infinity;
    samples = [...samples.filter(({ time }) => time < begin), ...loaded];
    if (reason === "gap") showGap();
    show();
    return page.position;
  },
});

function showGap() {
  $("note").hidden = false;
  $("note").textContent = `${new Date().toLocaleTimeString()}: some samples can't be had any more. What the server still has was loaded; the rest is a hole in the charts.`;
}

let drawn = false;
function show() {
  if (drawn) return;
  drawn = true; // until the next frame
  requestAnimationFrame(() => {
    drawn = false;
    const now = Date.now();
    samples = samples.filter(({ time }) => time > now - WINDOW_MS);
    for (const { show } of charts) show(samples, now - WINDOW_MS, now);
    const missing = holes(samples).length;
    $("summary").textContent = `${samples.length} samples, ${missing} ${missing === 1 ? "hole" : "holes"}`;
    $("rows").replaceChildren(...samples.slice(-20).reverse().map(row));
  });
}
setInterval(show, 1_000);

function row({ time, cpu, memory, load }) {
  const cells = [new Date(time).toLocaleTimeString(), `${cpu.toFixed(1)} %`, `${memory.toFixed(1)} %`, load.toFixed(2)];
  const made = document.createElement("tr");
  made.append(...cells.map((textContent) => Object.assign(document.createElement("td"), { textContent })));
  made.dataset.time = time;
  return made;
}

function showState({ phase, retryAt, reason }) {
  const seconds = Math.max(1, Math.ceil(((retryAt ?? 0) - Date.now()) / 1_000));
  $("state").dataset.phase = phase;
  $("state").textContent = {
    connecting: "Connecting…",
    connected: "Live",
    waiting: retryAt ? `Disconnected. Next attempt in ${seconds} s` : "Offline",
    stopped: `Stopped: ${reason?.message}`,
  }[phase];
}
