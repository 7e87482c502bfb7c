// The sizes of this client beside those of others, all measured in the same way: one ESM bundle for browsers, minified
// (minify.mjs), gzip -9 and brotli 11. Run by hand, after `npm run build`: it installs the others, at the versions below, from
// npm into a temporary folder, and prints the table of README.md. Bytes; 1 KB is 1,024 of them.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { bundles } from "./bundles.mjs";
import { minified } from "./minify.mjs";

const PEERS = [
  ["reconnecting-websocket", "4.4.0", "reconnects, and no more"],
  ["graphql-ws", "6.4.2", "its client: GraphQL operations, no resume", "export * from 'graphql-ws/client'"],
  ["partysocket", "1.3.0", "reconnects, offline buffer"],
  ["phoenix", "1.8.16", "channels, presence, long poll, no resume"],
  ["@anycable/web", "1.1.1", "channels, resume, presence"],
  ["socket.io-client", "4.8.4", "rooms, long poll, short resume"],
  ["@supabase/realtime-js", "2.109.0", "channels, presence"],
  ["pusher-js", "8.6.0", "channels, presence, fallbacks"],
  ["centrifuge", "5.8.0", "resume, presence, five transports"],
  ["ably", "2.28.0", "its module for WebSocket and fetch alone", "export { BaseRealtime, WebSocketTransport, FetchRequest } from 'ably/modular'"],
  ["ably", "2.28.0", "the same with presence", "export { BaseRealtime, WebSocketTransport, FetchRequest, RealtimePresence } from 'ably/modular'"],
  ["ably", "2.28.0", "all of it"],
];

function sizes(bytes) {
  return [bytes.length, gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length];
}

async function peer(folder, name, code) {
  const input = code ? { stdin: { contents: code, resolveDir: folder } } : { entryPoints: [name] };
  const { code: bundle } = await minified({ ...input, absWorkingDir: folder });
  return Buffer.from(bundle);
}

const rows = [];
for (const { entry, bytes, adds } of await bundles()) rows.push([`**@realtime/client${entry.slice(1)}**`, adds ? "added to the client" : "all of the client", ...sizes(bytes)]);
const folder = mkdtempSync(join(tmpdir(), "realtime-peers-"));
try {
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "peers", private: true }));
  const wanted = [...new Set(PEERS.map(([name, version]) => `${name}@${version}`))];
  execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", ...wanted], { cwd: folder, stdio: "inherit" });
  for (const [name, version, what, code] of PEERS) rows.push([`${name} ${version}`, what, ...sizes(await peer(folder, name, code))]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
rows.sort((a, b) => a[3] - b[3]);
console.log("| package | what | minified | gzip | brotli |\n|---|---|---|---|---|");
for (const [name, what, ...numbers] of rows) console.log(`| ${name} | ${what} | ${numbers.map((n) => n.toLocaleString("en")).join(" | ")} |`);
