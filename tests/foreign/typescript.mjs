// Follows its streams with our TypeScript client, bundled in the file that the first argument names. Writes each message,
// each gap and each refused token to standard output, one per line. Its first two tokens are valid for two seconds, and
// the provider has no new one before they have expired. A line on its standard input cuts the socket; the end of it ends
// the program.
//
//   node typescript.mjs client.mjs ws://127.0.0.1:8080/ws SECRET order:1
import { createHmac } from "node:crypto";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import WebSocket from "ws";

const [bundle, url, secret, topic] = process.argv.slice(2);
const { connect } = await import(pathToFileURL(bundle).href);

const say = (line) => console.log(JSON.stringify(line));
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function sign(seconds) {
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const text = `${encoded({ alg: "HS256", typ: "JWT" })}.${encoded({ sub: "alice", exp, roles: ["admin"], grants: ["subscribe:order:*"] })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

let socket;
class Cuttable extends WebSocket {
  constructor(...args) {
    super(...args);
    socket = this;
  }
}

let expired = 0;
function token({ reason }) {
  if (reason === "expiring" && expired < 2) throw new Error("there is no new token yet");
  if (reason === "refused") say({ expired: ++expired });
  return sign(expired < 2 ? 2 : 3600);
}

const client = connect({ url, token, client: "follower", WebSocket: Cuttable });
client.on("**", ({ topic, stream, payload }) => say({ stream: stream ?? topic, n: payload }));
client.onGap((gap) => say({ gap: gap.stream, reason: gap.reason, previous: gap.previous }));
client.onState(({ phase, reason }) => { if (phase === "stopped") say({ fault: reason }); });
client.onError((error) => { if (error.code !== "token_failed") say({ fault: String(error) }); });
client.subscribe(topic).ready.then(() => say({ ack: 1 }), (error) => say({ fault: String(error) }));

createInterface({ input: process.stdin })
  .on("line", () => socket.terminate())
  .on("close", () => process.exit(0));
