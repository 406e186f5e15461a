// The AI SDK: a UI message stream, one `text-delta` an event.
import { createUIMessageStream, pipeUIMessageStreamToResponse } from "ai";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";

const kept = Array.from({ length: 100_000 }, (_, i) => `token ${i} `);
const id = "text";

function stream(response, write) {
  const events = createUIMessageStream({
    async execute({ writer }) {
      writer.write({ type: "text-start", id });
      await write((delta) => writer.write({ type: "text-delta", id, delta }));
      writer.write({ type: "text-end", id });
    },
  });
  return pipeUIMessageStreamToResponse({ response, stream: events });
}

// The writer never waits. Without a turn for the stream now and then, as a model's deltas give it
// by arriving one after the other, everything is queued first and an event costs five times more.
const BETWEEN_TURNS = 64;

async function hot(request, response) {
  const { count } = await json(request);
  await stream(response, async (write) => {
    for (let i = 0; i < count; i++) {
      write(`token ${i} `);
      if ((i + 1) % BETWEEN_TURNS === 0) await turn();
    }
  });
}

async function paced(request, response) {
  const { count, intervalMs } = await json(request);
  await stream(response, async (write) => {
    for (let i = 0; i < count; i++) {
      await sleep(intervalMs);
      write(`token ${i} `);
    }
  });
}

async function replay(_request, response) {
  await stream(response, async (write) => {
    for (const [i, delta] of kept.entries()) {
      write(delta);
      if ((i + 1) % BETWEEN_TURNS === 0) await turn();
    }
  });
}

const routes = {
  "GET /health": (_request, response) => response.end("{}"),
  "POST /hot": hot,
  "POST /paced": paced,
  "GET /replay": replay,
  "POST /endless": hot,
};

createServer((request, response) => {
  const handler = routes[`${request.method} ${request.url}`];
  if (handler === undefined) response.writeHead(404).end();
  else void handler(request, response);
}).listen(Number(process.argv[2]), "127.0.0.1");
