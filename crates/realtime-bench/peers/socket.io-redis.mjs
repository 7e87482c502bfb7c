// socket.io with the adapter for Redis Streams: the same as socket.io.mjs, but clients that come back get what they
// missed (https://socket.io/docs/v4/connection-state-recovery). Each is in five rooms.
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [port, redisPort, kept] = process.argv.slice(2).map(Number);
const redis = createClient({ url: `redis://127.0.0.1:${redisPort}` });
await redis.connect();

const http = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    io.emit("bench", Buffer.concat(parts).toString());
    response.end();
  });
});
const io = new Server(http, {
  transports: ["websocket"],
  pingInterval: 300_000,
  pingTimeout: 300_000,
  adapter: createAdapter(redis, { maxLen: kept }),
  connectionStateRecovery: { maxDisconnectionDuration: 3_600_000, skipMiddlewares: true },
});
let connected = 0;
io.on("connection", (socket) => {
  const first = 5 * (connected++ % 200);
  socket.join([0, 1, 2, 3, 4].map((n) => `bench.${first + n}`));
});
http.keepAliveTimeout = 120_000;
http.listen(port, "127.0.0.1");
