// Node's own http server: frames written to the response, with a wait where its buffer is full.
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

const kept = Array.from({ length: 100_000 }, (_, i) => ({ text: `token ${i} ` }));
const readers = new Set();

const frame = (value) => `data: ${JSON.stringify(value)}\n\n`;

function open(response) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  response.flushHeaders();
}

// A reader that leaves brings no `drain`.
function drained(response) {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

async function hot(request, response) {
  const { count } = await json(request);
  open(response);
  for (let i = 0; i < count && !response.destroyed; i++) {
    if (!response.write(frame({ text: `token ${i} ` }))) await drained(response);
  }
  response.end();
}

async function paced(request, response) {
  const { count, intervalMs } = await json(request);
  open(response);
  for (let i = 0; i < count && !response.destroyed; i++) {
    await sleep(intervalMs);
    if (!response.write(frame({ text: `token ${i} `, ns: Number(process.hrtime.bigint()) }))) await drained(response);
  }
  response.end();
}

function feed(_request, response) {
  open(response);
  readers.add(response);
  response.on("close", () => readers.delete(response));
}

async function feedStart(request, response) {
  const { count, intervalMs } = await json(request);
  response.end("{}");
  for (let i = 0; i < count; i++) {
    await sleep(intervalMs);
    const event = frame({ text: `token ${i} `, ns: Number(process.hrtime.bigint()) });
    for (const reader of readers) reader.write(event);
  }
  for (const reader of readers) reader.end();
}

async function replay(_request, response) {
  open(response);
  for (const value of kept) {
    if (response.destroyed) return;
    if (!response.write(frame(value))) await drained(response);
  }
  response.end();
}

async function spin(_request, response) {
  open(response);
  for (let i = 0; !response.destroyed; i++) {
    if (!response.write(frame({ text: `token ${i} ` }))) await drained(response);
  }
}

const routes = {
  "GET /health": (_request, response) => response.end("{}"),
  "POST /hot": hot,
  "POST /paced": paced,
  "GET /feed": feed,
  "POST /feed-start": feedStart,
  "GET /replay": replay,
  "POST /endless": hot,
  "POST /spin": spin,
};

createServer((request, response) => {
  const handler = routes[`${request.method} ${request.url}`];
  if (handler === undefined) response.writeHead(404).end();
  else void handler(request, response);
}).listen(Number(process.argv[2]), "127.0.0.1");
