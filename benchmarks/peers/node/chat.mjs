// The AI SDK: answers after sign-in, kept in SQLite when they are complete.
import { createOpenAI } from "@ai-sdk/openai";
import { createUIMessageStream, pipeUIMessageStreamToResponse, streamText } from "ai";
import Database from "libsql";
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

const openai = createOpenAI({ baseURL: process.env.BENCH_MODEL, apiKey: "none" });
const database = new Database(process.env.BENCH_DATABASE);
database.pragma("journal_mode = WAL");
database.pragma("synchronous = NORMAL");
database.exec("CREATE TABLE IF NOT EXISTS answer (owner TEXT, text TEXT)");
const insert = database.prepare("INSERT INTO answer VALUES (?, ?)");

function signedIn(request) {
  const session = /(?:^|; )session=([^;]*)/.exec(request.headers.cookie ?? "")?.[1] ?? "";
  const [name, signature = ""] = session.split(".");
  const expected = createHmac("sha256", process.env.BENCH_SECRET).update(name).digest();
  const given = Buffer.from(signature, "hex");
  return given.length === expected.length && timingSafeEqual(given, expected) ? name : undefined;
}

function answer(response, owner, { count, intervalMs }) {
  const stream = createUIMessageStream({
    async execute({ writer }) {
      writer.write({ type: "text-start", id: "text" });
      let text = "";
      for (let i = 0; i < count; i++) {
        await sleep(intervalMs);
        const delta = `token ${i} ns=${process.hrtime.bigint()} `;
        text += delta;
        writer.write({ type: "text-delta", id: "text", delta });
      }
      insert.run(owner, text);
      writer.write({ type: "text-end", id: "text" });
    },
  });
  pipeUIMessageStreamToResponse({ response, stream });
}

function chat(response, owner, { count }) {
  const result = streamText({
    model: openai.chat("local"),
    prompt: String(count),
    onFinish: ({ text }) => insert.run(owner, text),
  });
  result.pipeUIMessageStreamToResponse(response);
}

const routes = { "POST /answer": answer, "POST /chat": chat };

createServer(async (request, response) => {
  const route = routes[`${request.method} ${request.url}`];
  if (route === undefined) return response.end("{}");
  const owner = signedIn(request);
  if (owner === undefined) return response.writeHead(401).end();
  route(response, owner, await json(request));
}).listen(Number(process.argv[2]), "127.0.0.1");
