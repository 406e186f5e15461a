// tRPC: subscriptions over server-sent events, as `httpSubscriptionLink` asks for them.
import { initTRPC } from "@trpc/server";
import { createHTTPServer } from "@trpc/server/adapters/standalone";
import { EventEmitter, on } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

const kept = Array.from({ length: 100_000 }, (_, i) => ({ text: `token ${i} ` }));
const feed = new EventEmitter().setMaxListeners(0);

const { procedure, router } = initTRPC.create();
const count = z.object({ count: z.number() });
const pace = z.object({ count: z.number(), intervalMs: z.number() });

async function produce({ count, intervalMs }) {
  for (let i = 0; i < count; i++) {
    await sleep(intervalMs);
    feed.emit("token", { text: `token ${i} `, ns: Number(process.hrtime.bigint()) });
  }
  feed.emit("end");
}

const hot = procedure.input(count).subscription(async function* ({ input }) {
  for (let i = 0; i < input.count; i++) yield { text: `token ${i} ` };
});

const app = router({
  health: procedure.query(() => ({})),
  hot,
  endless: hot,
  paced: procedure.input(pace).subscription(async function* ({ input }) {
    for (let i = 0; i < input.count; i++) {
      await sleep(input.intervalMs);
      yield { text: `token ${i} `, ns: Number(process.hrtime.bigint()) };
    }
  }),
  feed: procedure.subscription(async function* ({ signal }) {
    for await (const [token] of on(feed, "token", { signal, close: ["end"] })) yield token;
  }),
  "feed-start": procedure.input(pace).mutation(({ input }) => {
    void produce(input);
  }),
  replay: procedure.subscription(async function* () {
    for (const value of kept) yield value;
  }),
  spin: procedure.subscription(async function* () {
    for (let i = 0; ; i++) yield { text: `token ${i} ` };
  }),
});

createHTTPServer({ router: app }).listen(Number(process.argv[2]), "127.0.0.1");
