// Hono on its Node server: events written with `streamSSE`.
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";

const kept = Array.from({ length: 100_000 }, (_, i) => ({ text: `token ${i} ` }));
const readers = new Set();

const message = (value) => ({ data: JSON.stringify(value) });

const app = new Hono();

app.get("/health", (c) => c.json({}));

app.on("POST", ["/hot", "/endless"], async (c) => {
  const { count } = await c.req.json();
  return streamSSE(c, async (stream) => {
    for (let i = 0; i < count && !stream.aborted; i++) {
      await stream.writeSSE(message({ text: `token ${i} ` }));
    }
  });
});

app.post("/paced", async (c) => {
  const { count, intervalMs } = await c.req.json();
  return streamSSE(c, async (stream) => {
    for (let i = 0; i < count && !stream.aborted; i++) {
      await stream.sleep(intervalMs);
      await stream.writeSSE(message({ text: `token ${i} `, ns: Number(process.hrtime.bigint()) }));
    }
  });
});

app.get("/feed", (c) =>
  streamSSE(c, async (stream) => {
    await stream.write(": joined\n\n");
    await new Promise((leave) => {
      const reader = { stream, leave, written: Promise.resolve() };
      readers.add(reader);
      stream.onAbort(() => {
        readers.delete(reader);
        leave();
      });
    });
  }),
);

async function produce(count, intervalMs) {
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
    const event = message({ text: `token ${i} `, ns: Number(process.hrtime.bigint()) });
    for (const reader of readers) reader.written = reader.stream.writeSSE(event);
  }
  // The end of its callback closes a stream, so it has to come after the last write.
  for (const { leave, written } of readers) void written.then(leave);
  readers.clear();
}

app.post("/feed-start", async (c) => {
  const { count, intervalMs } = await c.req.json();
  void produce(count, intervalMs);
  return c.json({});
});

app.get("/replay", (c) =>
  streamSSE(c, async (stream) => {
    for (const value of kept) {
      if (stream.aborted) return;
      await stream.writeSSE(message(value));
    }
  }),
);

app.post("/spin", (c) =>
  streamSSE(c, async (stream) => {
    for (let i = 0; !stream.aborted; i++) await stream.writeSSE(message({ text: `token ${i} ` }));
  }),
);

serve({ fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.argv[2]) });
