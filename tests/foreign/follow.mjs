// Follows its streams with the npm package `ws` and the rules of docs/protocol.md, section "History and recovery": it
// keeps the last position of each stream, and brings its ticket and its positions when it comes back. Writes each message
// and each gap to standard output, one per line. A line on its standard input cuts the socket; the end of it ends the
// program.
//
//   node follow.mjs ws://127.0.0.1:8080/ws?token=… order:1
import { createInterface } from "node:readline";
import WebSocket from "ws";

const [address, topic] = process.argv.slice(2);
const positions = {};
let ticket;
let socket;
let command = 0;

const say = (line) => console.log(JSON.stringify(line));

function receive({ type, payload, stream, offset }) {
  if (type === "welcome") {
    ticket = payload.resume ?? ticket;
    const known = Object.keys(positions).length > 0;
    for (const [name, position] of Object.entries(payload.streams)) {
      // Without a valid ticket the stream is live from here on, and what was before is lost.
      if (positions[name] && !payload.resumed) say({ gap: name, reason: "not resumed" });
      if (!payload.resumed) positions[name] = position;
      positions[name] ??= position;
    }
    command += 1;
    const own = Object.entries(positions).filter(([name]) => payload.resumed || name.startsWith("topic:"));
    const first = { action: "subscribe", id: command, topic };
    const again = { action: "resume", id: command, since: Object.fromEntries(own) };
    socket.send(JSON.stringify(known ? again : first));
    say({ welcome: payload.resumed });
  } else if (type === "ack") {
    if (payload.position) positions[`topic:${topic}`] = payload.position;
    Object.assign(positions, payload.streams ?? {});
    say({ ack: payload.id });
  } else if (type === "gap") {
    if (payload.position) positions[payload.stream] = payload.position;
    say({ gap: payload.stream, reason: payload.reason });
  } else if (stream) {
    const before = positions[stream]?.offset ?? 0;
    if (offset <= before) say({ fault: `${stream}: ${offset} after ${before}` });
    positions[stream] = { ...positions[stream], offset };
    say({ stream, n: payload });
  } else {
    say({ other: type, payload });
  }
}

function connect() {
  const resume = ticket ? `&resume=${encodeURIComponent(ticket)}` : "";
  socket = new WebSocket(`${address}&client=follower${resume}`);
  socket.on("message", (data) => receive(JSON.parse(data.toString())));
  socket.on("error", () => {});
  // Full jitter, as `reconnect` in the welcome advises, with a short cap: this is a test.
  socket.on("close", () => setTimeout(connect, 20 + 80 * Math.random()));
}

createInterface({ input: process.stdin })
  .on("line", () => socket.terminate())
  .on("close", () => process.exit(0));
connect();
