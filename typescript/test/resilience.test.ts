/** What a run survives: real servers that are killed, a real proxy that cuts. */

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Action } from "../src/index.js";
import { createClientIn } from "../src/client.js";
import { createClient } from "../src/index.js";
import { all } from "./support/events.js";
import { HURRIED } from "./support/page.js";
import { type Fault, Proxy } from "./support/proxy.js";
import { Server } from "./support/server.js";

interface Actions {
  count: Action<{ to: number; pause?: number; name?: string }, { type: "text"; text: string }, number>;
  again: Action<{ to: number; pause?: number }, unknown, number>;
  onward: Action<{ to: number }, { type: "text"; text: string }, number>;
  publish: Action<{ plan: string }, { type: "text"; text: string }, boolean, never, { Decision: { publish: boolean } }, { tone: "warm" | "sober" }>;
  started: Action<{ name: string }, never, number>;
  slow: Action<{ wait: number }, unknown, string>;
}

const numbersTo = (to: number): string => Array.from({ length: to }, (_, n) => `${n + 1} `).join("");

const newStore = (): string => `sqlite:///${join(mkdtempSync(join(tmpdir(), "yieldwire-")), "runs.db")}`;

/** A server that none of the tests kills. */
const server = new Server();
beforeAll(() => server.start());
afterAll(() => server.stop());

/** A server of the test's own, which remembers its runs when it is killed. */
async function mortal(): Promise<Server> {
  const own = await new Server(newStore()).start();
  onTestFinished(() => own.stop());
  return own;
}

async function through(script?: (connection: number, request: string) => Fault): Promise<Proxy> {
  const proxy = await new Proxy(server.port, script).start();
  onTestFinished(() => proxy.stop());
  return proxy;
}

// A row of "What happens when" in the docs.
test("a run that can be repeated reaches its end over a server that was killed and restarted", async () => {
  const own = await mortal();
  const run = createClientIn<Actions>(HURRIED, { url: own.url }).again({ to: 20 });

  const seen: string[] = [];
  for await (const { type } of run.events()) {
    seen.push(type);
    if (seen.length === 5) await own.kill().then(() => own.start());
  }

  expect(seen.filter((type) => type === "restarted")).toHaveLength(1);
  expect([run.text, run.attempt, await run.result()]).toEqual([numbersTo(20), 2, 20]);
});

// A row of "What happens when" in the docs.
test("a run that saves its place keeps what came before it over a server that was killed and restarted", async () => {
  const own = await mortal();
  const run = createClientIn<Actions>(HURRIED, { url: own.url }).onward({ to: 30 });

  let seen = 0;
  let kept = 0;
  for await (const event of run.events()) {
    if (event.type === "restarted") kept = event.data.keep ?? 0;
    if (++seen === 12) await own.kill().then(() => own.start());
  }

  const late = await all(run);
  expect(kept).toBeGreaterThan(0);
  expect([run.text, late.map(({ text }) => text).join(""), run.attempt]).toEqual([numbersTo(30), numbersTo(30), 2]);
});

test("a question stays open over a server that was killed and restarted, and can still be answered", async () => {
  const own = await mortal();
  const run = createClientIn<Actions>(HURRIED, { url: own.url }).publish({ plan: "a" });
  await run.send({ tone: "warm" });

  for await (const { type } of run.events()) {
    if (type !== "question") continue;
    await own.kill().then(() => own.start());
    const [question] = run.questions;
    await run.answer(question!, { publish: true });
  }

  expect([run.attempt, run.questions, run.text, await run.result()]).toEqual([2, [], "warm decided", true]);
});

// A row of "What happens when" in the docs.
test("a run that must not be repeated ends as interrupted when its server was killed", async () => {
  const own = await mortal();
  const run = createClientIn<Actions>(HURRIED, { url: own.url }).count({ to: 100, pause: 0.05 });

  for await (const _ of run) if (run.text.length > 5) break;
  await own.kill().then(() => own.start());

  await expect(run.result()).rejects.toMatchObject({ code: "INTERRUPTED", runId: run.id });
  expect(run.status).toBe("failed");
});

// A row of "What happens when" in the docs.
test.each([1, 2, 3, 4, 5, 6, 7, 8])("no cut of a connection, wherever it falls, loses or repeats an event (%d)", async (seed) => {
  // About a third of the answer each time, at a place that differs with each connection and seed.
  const cuts = Array.from({ length: 6 }, (_, n) => (seed * 7919 + n * 104_729) % 1500);
  const proxy = await through((connection) => {
    const cutAfter = cuts[connection];
    return { ...(cutAfter !== undefined && { cutAfter }), piece: seed % 2 ? 7 : 4096 };
  });

  const run = createClientIn<Actions>(HURRIED, { url: proxy.url }).count({ to: 30, pause: 0.005, name: `cut ${seed}` });
  const events = await all(run.events());

  expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 31 }, (_, n) => n + 1));
  expect([run.text, await run.result()]).toEqual([numbersTo(30), 30]);
  expect(proxy.connections).toBeGreaterThan(1);
  expect(await createClient<Actions>({ url: server.url }).started({ name: `cut ${seed}` }).result()).toBe(1);
});

test("a start whose answer was lost on the way is repeated, and starts nothing twice", async () => {
  const proxy = await through((connection) => (connection < 2 ? { cutAfter: 0 } : {}));

  const run = createClientIn<Actions>(HURRIED, { url: proxy.url }).count({ to: 3, name: "lost" });

  expect(await run.result()).toBe(3);
  expect(proxy.requests).toEqual(["POST /count", "POST /count", "POST /count"]);
  expect(await createClient<Actions>({ url: server.url }).started({ name: "lost" }).result()).toBe(1);
});

test("a connection that goes silent without a word is given up in its time", async () => {
  const proxy = await through((connection) => (connection === 0 ? { freezesAfter: 700 } : {}));

  const run = createClient<Actions>({ url: proxy.url, idleMs: 1_000 }).count({ to: 20, pause: 0.01 });

  expect(await run.result()).toBe(20);
  expect(run.text).toBe(numbersTo(20));
});

// A row of "What happens when" in the docs.
test("a stream that something on the way holds back is given up for polls that are held, and its events come as they happen", async () => {
  const proxy = await through((_, request) => ({ buffers: request.startsWith("POST /count") || request.endsWith("/events") }));
  const client = createClient<Actions>({ url: proxy.url, openingMs: 200 });

  const run = client.count({ to: 1_000, pause: 0.05 });
  for await (const _ of run) if (run.text.length > 20) break;
  await run.stop();

  await expect(run.result()).rejects.toMatchObject({ code: "CANCELLED" });
  expect(proxy.requests.filter((request) => request.includes("wait=25")).length).toBeGreaterThan(1);

  const next = client.count({ to: 2 }); // what one run has learned holds for the next
  expect(await next.result()).toBe(2);
  expect(proxy.requests.filter((request) => request.endsWith("/events"))).toEqual([]);
});

test("a stream that is slow because its action is, stays a stream", async () => {
  const proxy = await through();

  const run = createClient<Actions>({ url: proxy.url, openingMs: 100 }).slow({ wait: 1.5 });

  expect(await run.result()).toBe("late");
  expect(proxy.requests.filter((request) => request.includes("wait="))).toEqual([]);
});

test("sixty streams at once bring each its own", async () => {
  const { count } = createClient<Actions>({ url: server.url });

  const runs = Array.from({ length: 60 }, (_, n) => count({ to: n + 1, pause: 0.01 }));
  const results = await Promise.all(runs.map((run) => run.result()));

  expect(results).toEqual(runs.map((_, n) => n + 1));
  expect(runs.map(({ text }) => text)).toEqual(runs.map((_, n) => numbersTo(n + 1)));
});
