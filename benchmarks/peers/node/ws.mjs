// ws: a socket for each stream, whose end closes it, with a wait where its buffer is full.
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket, WebSocketServer } from "ws";

const HIGH_WATER_MARK = 64 * 1024;
const readers = new Set();

const isOpen = (socket) => socket.readyState === WebSocket.OPEN;

// Its callback comes when the message has been written, or the reader is gone.
function sent(socket, text) {
  if (socket.bufferedAmount < HIGH_WATER_MARK) return socket.send(text);
  return new Promise((resolve) => socket.send(text, resolve));
}

async function hot(socket, query) {
  const count = Number(query.get("count"));
  for (let i = 0; i < count && isOpen(socket); i++) {
    const waiting = sent(socket, JSON.stringify({ text: `token ${i} ` }));
    if (waiting !== undefined) await waiting;
  }
  socket.close();
}

async function paced(socket, query) {
  const count = Number(query.get("count"));
  const intervalMs = Number(query.get("intervalMs"));
  for (let i = 0; i < count && isOpen(socket); i++) {
    await sleep(intervalMs);
    await sent(socket, JSON.stringify({ text: `token ${i} `, ns: Number(process.hrtime.bigint()) }));
  }
  socket.close();
}

function feed(socket) {
  readers.add(socket);
  socket.on("close", () => readers.delete(socket));
}

async function feedStart(request, response) {
  const { count, intervalMs } = await json(request);
  response.end("{}");
  for (let i = 0; i < count; i++) {
    await sleep(intervalMs);
    const text = JSON.stringify({ text: `token ${i} `, ns: Number(process.hrtime.bigint()) });
    for (const reader of readers) if (isOpen(reader)) reader.send(text);
  }
  for (const reader of readers) reader.close();
}

const streams = { "/hot": hot, "/paced": paced, "/feed": feed };

const server = createServer((request, response) => {
  if (request.url === "/feed-start") void feedStart(request, response);
  else response.end("{}");
});
const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket, request) => {
  const { pathname, searchParams } = new URL(request.url, "ws://localhost");
  const stream = streams[pathname];
  if (stream === undefined) socket.close(1008);
  else void stream(socket, searchParams);
});
server.listen(Number(process.argv[2]), "127.0.0.1");
