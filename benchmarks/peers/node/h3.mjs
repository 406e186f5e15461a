// h3: events pushed to `createEventStream`.
import { createEventStream, H3, serve } from "h3";
import { setTimeout as sleep } from "node:timers/promises";

const kept = Array.from({ length: 100_000 }, (_, i) => ({ text: `token ${i} ` }));
const readers = new Set();

// Runs `write` in parallel to the response, until it is done or the reader has left.
function stream(event, write) {
  const events = createEventStream(event);
  const state = { left: false };
  events.onClosed(() => {
    state.left = true;
  });
  void write(events, state).finally(() => events.close());
  return events;
}

const token = (i, ns) => JSON.stringify({ text: `token ${i} `, ns });

const app = new H3();

app.get("/health", () => ({}));

async function hot(event) {
  const { count } = await event.req.json();
  return stream(event, async (events, reader) => {
    for (let i = 0; i < count && !reader.left; i++) await events.push(token(i));
  });
}

app.post("/hot", hot);
app.post("/endless", hot);

app.post("/paced", async (event) => {
  const { count, intervalMs } = await event.req.json();
  return stream(event, async (events, reader) => {
    for (let i = 0; i < count && !reader.left; i++) {
      await sleep(intervalMs);
      await events.push(token(i, Number(process.hrtime.bigint())));
    }
  });
});

app.get("/feed", (event) => {
  const events = createEventStream(event);
  readers.add(events);
  events.onClosed(() => readers.delete(events));
  void events.pushComment("joined");
  return events;
});

async function produce(count, intervalMs) {
  for (let i = 0; i < count; i++) {
    await sleep(intervalMs);
    const data = token(i, Number(process.hrtime.bigint()));
    for (const events of readers) void events.push(data);
  }
  for (const events of readers) void events.close();
}

app.post("/feed-start", async (event) => {
  const { count, intervalMs } = await event.req.json();
  void produce(count, intervalMs);
  return {};
});

app.get("/replay", (event) =>
  stream(event, async (events, reader) => {
    for (const value of kept) {
      if (reader.left) return;
      await events.push(JSON.stringify(value));
    }
  }),
);

app.post("/spin", (event) =>
  stream(event, async (events, reader) => {
    for (let i = 0; !reader.left; i++) await events.push(token(i));
  }),
);

serve(app, { hostname: "127.0.0.1", port: Number(process.argv[2]), silent: true });
