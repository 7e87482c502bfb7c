// Node's `ws`: subscribers by path, publications by POST to the same path.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const topics = new Map();
const http = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const text = Buffer.concat(parts).toString();
    for (const socket of topics.get(request.url) ?? []) socket.send(text);
    response.end();
  });
});
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
sockets.on("connection", (socket, request) => {
  const topic = topics.get(request.url) ?? new Set();
  topics.set(request.url, topic.add(socket));
  socket.on("error", () => {});
  socket.on("close", () => topic.delete(socket));
});
http.keepAliveTimeout = 120_000;
http.listen(Number(process.argv[2]), "127.0.0.1");
