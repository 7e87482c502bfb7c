// socket.io over WebSocket alone: everyone is in one namespace, publications by POST.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    io.emit("bench", Buffer.concat(parts).toString());
    response.end();
  });
});
const io = new Server(http, { transports: ["websocket"], pingInterval: 300_000, pingTimeout: 300_000 });
http.keepAliveTimeout = 120_000;
http.listen(Number(process.argv[2]), "127.0.0.1");
