// The backend of the chat, without a package: it signs users in, gives them tokens, decides who may publish what, and
// serves the page. Start it in the folder that has `secrets`: node backend.mjs
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, resolve } from "node:path";

const port = Number(process.env.PORT ?? 3000);
const realtime = process.env.REALTIME_URL ?? "ws://127.0.0.1:8080/ws";
const secret = (name) => readFileSync(join("secrets", name), "utf8").trim();
const [tokenKey, hookKey] = [secret("tokens"), secret("hooks")];
const TOKEN_SECONDS = 300;

// Sessions are in memory, and a name is enough to sign in: replace both with the login of your application.
const sessions = new Map();
const COOKIE = "chat_session";

function userOf(request) {
  const cookie = request.headers.cookie?.split("; ").find((one) => one.startsWith(`${COOKIE}=`));
  return sessions.get(cookie?.slice(COOKIE.length + 1));
}

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const hmac = (key, text) => createHmac("sha256", key).update(text);

/** A token says who the user is, and that the user may read the history of rooms. What else users may do: realtime.toml. */
function token(user) {
  const claims = { sub: user, exp: Math.floor(Date.now() / 1000) + TOKEN_SECONDS, grants: ["history:room:*"] };
  const head = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${head}.${hmac(tokenKey, head).digest("base64url")}`;
}

/** Whether a request is from our server: see docs/hooks.md, "Signatures". */
function isGenuine({ headers }, body) {
  const time = headers["x-realtime-timestamp"] ?? "";
  const given = Buffer.from(headers["x-realtime-signature"] ?? "");
  const expected = Buffer.from(`v1=${hmac(hookKey, `${time}.${body}`).digest("hex")}`);
  return given.length === expected.length && timingSafeEqual(given, expected) && Math.abs(Date.now() / 1000 - time) < 300;
}

const routes = {
  "POST /session": (request, body, response) => {
    const name = String(JSON.parse(body).name ?? "").trim();
    if (!/^[\p{L}\p{N} ._-]{1,32}$/u.test(name)) return [422, { message: "A name has 1 to 32 letters, digits, spaces, dots or dashes." }];
    const id = randomBytes(32).toString("base64url");
    sessions.set(id, name);
    // Behind TLS, add `Secure`.
    response.setHeader("set-cookie", `${COOKIE}=${id}; Path=/; HttpOnly; SameSite=Strict`);
    return [200, { user: name, realtime }];
  },
  "GET /session": (request) => [200, { user: userOf(request) ?? null, realtime }],
  "GET /token": (request) => {
    const user = userOf(request);
    return user ? [200, { token: token(user) }] : [401, { message: "not signed in" }];
  },
  // The server asks before it publishes a message of a client: nobody writes in the name of another.
  "POST /hooks/publish": (request, body) => {
    if (!isGenuine(request, body)) return [401, { message: "the signature is wrong" }];
    const { user, payload } = JSON.parse(body);
    return [200, payload?.from === user ? { allow: true } : { allow: false, message: "`from` must be you" }];
  },
};

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const here = import.meta.dirname;
const folders = { "/client/": join(here, "../../clients/typescript/dist"), "/": resolve(here, process.env.PAGES ?? "public") };

/** The page, and our client below /client/. */
async function file(path, response) {
  const [prefix, folder] = Object.entries(folders).find(([start]) => path.startsWith(start));
  const name = path === "/" ? "index.html" : normalize(`/${path.slice(prefix.length)}`);
  const content = await readFile(join(folder, name)).catch(() => undefined);
  if (!content) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream", "cache-control": "no-cache" }).end(content);
}

createServer(async (request, response) => {
  try {
    const { pathname } = new URL(request.url, "http://localhost");
    const route = routes[`${request.method} ${pathname}`];
    if (!route) return await file(decodeURIComponent(pathname), response);
    let body = "";
    for await (const chunk of request) if ((body += chunk).length > 100_000) return response.writeHead(413).end();
    const [status, answer] = route(request, body, response);
    response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" }).end(JSON.stringify(answer));
  } catch {
    if (!response.headersSent) response.writeHead(400).end();
  }
}).listen(port, "127.0.0.1", () => console.log(`The chat is at http://localhost:${port}`));
