// Serves the page and gives it tokens, without a package. Start it in the folder that has `secrets`: node server.mjs
import { createHmac, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const port = Number(process.env.PORT ?? 3000);
const realtime = process.env.REALTIME_URL ?? "ws://127.0.0.1:8080/ws";
const key = readFileSync(join("secrets", "tokens"), "utf8").trim();
const TOKEN_SECONDS = 300;

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token to read metrics, and nothing else: what the config does not open to everyone must be granted. */
function token(viewer) {
  const claims = { sub: viewer, exp: Math.floor(Date.now() / 1000) + TOKEN_SECONDS, grants: ["history:metrics:*"] };
  const head = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${head}.${createHmac("sha256", key).update(head).digest("base64url")}`;
}

// Every visitor may read: put the login of your application here, and answer 401 to others.
function viewerOf(request, response) {
  const known = /(?:^|; )viewer=([\w-]{36})/.exec(request.headers.cookie ?? "")?.[1];
  const viewer = known ?? randomUUID();
  // Behind TLS, add `Secure`.
  if (!known) response.setHeader("set-cookie", `viewer=${viewer}; Path=/; HttpOnly; SameSite=Strict`);
  return viewer;
}

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css" };
const here = import.meta.dirname;
const folders = { "/client/": join(here, "../../clients/typescript/dist"), "/": join(here, "public") };

createServer(async (request, response) => {
  try {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname === "/token") {
      const answer = { token: token(viewerOf(request, response)) };
      return response.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" }).end(JSON.stringify(answer));
    }
    if (pathname === "/config") {
      return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ realtime }));
    }
    const [prefix, folder] = Object.entries(folders).find(([start]) => pathname.startsWith(start));
    const name = pathname === "/" ? "index.html" : normalize(`/${decodeURIComponent(pathname).slice(prefix.length)}`);
    const content = await readFile(join(folder, name)).catch(() => undefined);
    if (!content) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream", "cache-control": "no-cache" }).end(content);
  } catch {
    if (!response.headersSent) response.writeHead(400).end();
  }
}).listen(port, "127.0.0.1", () => console.log(`The dashboard is at http://localhost:${port}`));
