// What each feature costs in the main entry point: its functions are emptied, and the bundle is made again. Run by hand; it
// prints the table of README.md. The sum is less than the whole: what several features share is in none.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { INTERNAL } from "./internal.mjs";
import { minified } from "./minify.mjs";

/** Functions and methods, by file. */
const FEATURES = {
  "errors with a text that says what to do": { texts: true },
  "loading a state, then following it (`getState`)": { "machine/subscriptions.ts": ["reload", "load", "loaded"] },
  "publications and other commands: queue, order, deadlines": { "machine/commands.ts": ["command", "flush", "commandExpired", "settle", "hold", "commandReplied", "interrupt", "rejectAll"] },
  "positions, `resume`, gaps": { "machine/recovery.ts": ["resume", "resumeReplied", "keepAll", "jump", "gap", "lose", "streamsOf", "publication"] },
  "topics that the backend gives": { "machine/recovery.ts": ["subscribed"], "machine/subscriptions.ts": ["unsubscribed"] },
  "counted subscriptions that linger, limits obeyed": { "machine/subscriptions.ts": ["unsubscribe", "lingerExpired", "leaveTopic", "pump", "subscribeReplied", "unsubscribeReplied", "detach"] },
  "tokens: requests, refresh, refusal": { "machine/token.ts": ["token", "expires", "refresh", "refreshReplied", "tokenExpired"] },
  "liveness: pings that ask": { "machine/connection.ts": ["watch", "silence", "idleExpired", "probe", "received"] },
  "sleep, networks, back/forward cache": { "machine/connection.ts": ["wake", "online", "offline", "hide"], "lifecycle.ts": ["watchDevice"] },
  "close codes and backoff": { "machine/closing.ts": ["advice", "backoff"], "machine/connection.ts": ["lost"] },
  "timers that are late, early or long": { "machine/timers.ts": ["expired"] },
  "patterns of listeners": { "listeners.ts": ["matches"] },
  "reload of a page (`session`)": { "client.ts": ["session"] },
  "errors of handlers": { "client.ts": ["report"] },
};

/** Empties the body of a function or method of this name. */
function emptied(source, name) {
  const start = source.search(new RegExp(`^(export )?(async )?function ${name}\\(|^  (async )?${name}\\(.*\\{$`, "m"));
  if (start < 0) throw new Error(`there is no function ${name}`);
  const end = source.indexOf("\n", start);
  const indent = /^ */.exec(source.slice(start))[0];
  const close = source.indexOf(`\n${indent}}`, start);
  return `${source.slice(0, end)} return undefined as never;${source.slice(close)}`;
}

async function size(changes = {}) {
  const empty = {
    name: "empty",
    setup(build) {
      build.onLoad({ filter: /src\/.*\.ts$/ }, ({ path }) => {
        let contents = readFileSync(path, "utf8");
        for (const name of changes[path.split("/src/")[1]] ?? []) contents = emptied(contents, name);
        return { contents, loader: "ts" };
      });
    },
  };
  const { code } = await minified({ entryPoints: [join("src", "index.ts")], mangleProps: INTERNAL, plugins: [empty] });
  const text = (token) => (token.includes(" ") ? '""' : token);
  return gzipSync(changes.texts ? code.replace(/"[^"]*"|`[^`]*`/g, text) : code, { level: 9 }).length;
}

const whole = await size();
console.log("| feature | bytes |\n|---|---|");
const rows = [];
for (const [feature, changes] of Object.entries(FEATURES)) rows.push([feature, whole - await size(changes)]);
for (const [feature, bytes] of rows.sort((a, b) => b[1] - a[1])) console.log(`| ${feature} | ${bytes.toLocaleString("en")} |`);
console.log(`| all of the client | ${whole.toLocaleString("en")} |`);
