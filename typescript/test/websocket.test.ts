/** Runs over one WebSocket, against a real server. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Action, Progress, Text } from "../src/index.js";
import { type ClientOptions, createClient } from "../src/index.js";
import { all } from "./support/events.js";
import { Proxy } from "./support/proxy.js";
import { Server } from "./support/server.js";

interface Actions {
  count: Action<{ to: number; pause?: number; name?: string }, Text, number>;
  fail: Action<{ after?: number }, Text, null, "OUT_OF_CREDIT">;
  hang: Action<Record<string, never>, Progress, null>;
  load: Action<{ file: File; more?: File[] }, Progress, Record<string, number>>;
  ticks: Action<{ to?: number }, number, null>;
}

const server = new Server();
const opened: string[] = [];
const asked: string[] = [];

/** Counts the sockets that are opened. */
class CountingSocket extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    opened.push(String(url));
    super(url, protocols);
  }
}

beforeAll(() => server.start());
afterAll(() => server.stop());
beforeEach(() => {
  opened.length = asked.length = 0;
  vi.stubGlobal("WebSocket", CountingSocket);
});
afterEach(() => vi.unstubAllGlobals());

const counting: typeof fetch = (input, init) => {
  asked.push(String(input));
  return fetch(input, init);
};

function client(options: Partial<ClientOptions> = {}) {
  return createClient<Actions>({ url: server.url, token: "kate", transport: "websocket", fetch: counting, ...options });
}

test("all runs of a page share one socket, and each is whole", async () => {
  const actions = client();

  const results = await Promise.all(Array.from({ length: 40 }, (_, to) => actions.count({ to }).result()));

  expect(results).toEqual(Array.from({ length: 40 }, (_, to) => to));
  expect([opened.length, asked]).toEqual([1, []]);
});

test("the events are those over HTTP", async () => {
  const actions = client();
  const run = actions.count({ to: 3, name: "¿who? ü€😀" });

  const events = await all(run.events());

  expect(events).toEqual(await all(actions.count.attach(run.id ?? "", undefined, { transport: "sse" }).events()));
});

test("a long log is read beyond the credit", async () => {
  const run = client({ keep: 0 }).count({ to: 20_000, name: "ü" });

  expect(await run.result()).toBe(20_000);
});

test("files are sent, and how much of them", async () => {
  const sent: number[] = [];
  const file = new File(["x".repeat(300_000)], "a.txt");

  const run = client().load({ file }, { onUpload: (bytes) => sent.push(bytes) });

  expect(await run.result()).toEqual({ "a.txt": 300_000 });
  expect(sent.length).toBeGreaterThan(8);
  expect(asked).toEqual([]);
});

test("errors are those over HTTP", async () => {
  const actions = client();

  await expect(actions.fail({ after: 0 }).result()).rejects.toMatchObject({ code: "OUT_OF_CREDIT", statusCode: 402 });
  await expect(actions.count({ to: "many" as unknown as number }).result()).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
});

test("a run that is left does not hold up the others, and continues", async () => {
  const actions = client();
  const run = actions.hang();
  for await (const _ of run) break;
  run.detach();

  expect(await actions.count({ to: 2 }).result()).toBe(2);
  expect((await actions.runs.get(run.id ?? "")).status).toBe("running");
  await actions.runs.cancel(run.id ?? "");
});

test("runs are whole however often their socket is cut", async () => {
  const proxy = await new Proxy(server.port, (connection) => (connection < 6 ? { cutAfter: 3_000 + 4_000 * connection } : {})).start();
  const actions = client({ url: proxy.url });

  const runs = Array.from({ length: 5 }, () => actions.count({ to: 400 }));
  const texts = await Promise.all(runs.map(async (run) => (await all(run)).map((chunk) => chunk.text).join("")));

  await proxy.stop();
  expect(new Set(texts)).toEqual(new Set([Array.from({ length: 400 }, (_, n) => `${n + 1} `).join("")]));
  expect(opened.length).toBeGreaterThan(1);
});

test("where no socket can be opened, runs are followed over HTTP", async () => {
  const proxy = await new Proxy(server.port, (_, request) => (request.includes("/ws") ? { cutAfter: 0 } : {})).start();
  const actions = client({ url: proxy.url });

  const results = await Promise.all([1, 2, 3].map((to) => actions.count({ to }).result()));

  await proxy.stop();
  expect(results).toEqual([1, 2, 3]);
  expect([opened.length, asked.length]).toEqual([1, 3]);
});

test("a request with headers of its own is sent over HTTP", async () => {
  const run = client({ headers: { "X-Tenant": "a" } }).count({ to: 1 });

  expect([await run.result(), opened, asked.length]).toEqual([1, [], 1]);
});

test("a page whose streams take every connection follows the other runs over a socket", async () => {
  const proxy = await new Proxy(server.port).start();
  const actions = client({ url: proxy.url, transport: "auto", maxStreams: 1 });
  const first = actions.hang();
  const failed = all(first).catch(() => undefined);
  for await (const _ of first) break;

  const results = await Promise.all([1, 2, 3].map((to) => actions.count({ to }).result()));
  await first.stop();
  await failed;

  await proxy.stop();
  expect(results).toEqual([1, 2, 3]);
  expect(proxy.requests.filter((line) => line.includes("/ws")).length).toBe(1);
});
