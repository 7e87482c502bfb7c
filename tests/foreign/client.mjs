// Connects with the npm package `ws`, sends the commands given, and writes every frame to standard output, one per
// line, until its standard input ends.
//
//   node client.mjs ws://127.0.0.1:8080/ws?token=… '{"action":"subscribe","id":1,"topic":"order:123"}' …
import WebSocket from "ws";

const [address, ...commands] = process.argv.slice(2);
const socket = new WebSocket(address);
socket.on("open", () => commands.forEach((command) => socket.send(command)));
socket.on("message", (data, isBinary) => console.log(isBinary ? "binary!" : data.toString()));
socket.on("error", (error) => console.log("error: " + error.message));
socket.on("close", () => process.exit(0));
process.stdin.on("end", () => socket.close(1000)).resume();
