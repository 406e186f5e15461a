/** A list of runs that stays current, against a real server, by everything that can carry it. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Action, Progress, RunInfo, Text } from "../src/index.js";
import { type ClientOptions, createClient } from "../src/index.js";
import { createClientIn } from "../src/client.js";
import { HURRIED } from "./support/page.js";
import { Proxy } from "./support/proxy.js";
import { json, refusal, type Scripted, serve, unreachable } from "./support/script.js";
import { Server } from "./support/server.js";

interface Actions {
  count: Action<{ to: number }, Text, number>;
  hang: Action<Record<string, never>, Progress, null>;
}

const server = new Server();
let asked: string[] = [];

beforeAll(() => server.start());
afterAll(() => server.stop());
beforeEach(() => {
  asked = [];
  const { fetch } = globalThis;
  vi.stubGlobal("fetch", (input: string, init: RequestInit) => {
    asked.push(input);
    return fetch(input, init);
  });
});
afterEach(() => vi.unstubAllGlobals());

/** How many streams of a list were opened by `fetch`. */
const streams = (): number => asked.filter((url) => url.includes("watch=1")).length;

let people = 0;
/** A client of somebody who has no runs yet. */
function client(options: Partial<ClientOptions> = {}, url: string = server.url) {
  return createClient<Actions>({ url, token: `watcher ${++people}`, ...options });
}

/** The status of each run as it is told, in that order, until one is told to have this one. */
async function told(list: AsyncIterable<RunInfo>, last: string, meanwhile: (run: RunInfo) => unknown = () => undefined): Promise<string[]> {
  const seen: string[] = [];
  for await (const run of list) {
    seen.push(`${run.action} ${run.status}`);
    if (run.status === last) break;
    await meanwhile(run);
  }
  return seen;
}

test.each(["auto", "websocket", "sse", "polling"] as const)("the runs that there are come first, newest first, and then each that changes (%s)", async (transport) => {
  const mine = client({ transport });
  await mine.count({ to: 1 }).result();
  const run = await mine.hang.start({});

  const list = mine.runs.watch();
  const first = [(await list.next()).value, (await list.next()).value].map((each) => each?.action);
  await mine.runs.cancel(run.id as string);
  const news = await told(list, "cancelled");

  expect(first).toEqual(["hang", "count"]);
  expect(news.at(-1)).toBe("hang cancelled");
  expect(streams()).toBe(transport === "sse" ? 1 : 0);
});

test.each(["websocket", "polling"] as const)("a run that no longer matches is told once more (%s)", async (transport) => {
  const mine = client({ transport });
  await mine.count({ to: 1 }).result();
  const run = await mine.hang.start({});

  const seen = await told(mine.runs.watch({ status: "running", action: "hang" }), "cancelled", () => mine.runs.cancel(run.id as string));

  expect(new Set(seen)).toEqual(new Set(["hang running", "hang cancelled"]));
});

// A row of "What happens when" in the docs.
test("where no stream comes through, the list is polled", async () => {
  const proxy = await new Proxy(server.port, (_, request) => (request.includes("watch=1") ? { buffers: true } : {})).start();
  vi.stubGlobal("WebSocket", undefined);
  const mine = client({ openingMs: 200 }, proxy.url);
  const run = await mine.hang.start({});

  const seen = await told(mine.runs.watch(), "cancelled", () => mine.runs.cancel(run.id as string));

  expect(seen.at(-1)).toBe("hang cancelled");
  expect(proxy.requests.filter((request) => /runs\??$/.test(request)).length).toBeGreaterThan(1);
  await proxy.stop();
});

test("where no socket can be opened, the list is a stream", async () => {
  const proxy = await new Proxy(server.port, (_, request) => (request.includes("/ws") ? { cutAfter: 0 } : {})).start();
  const mine = client({}, proxy.url);
  const run = await mine.hang.start({});

  const seen = await told(mine.runs.watch(), "cancelled", () => mine.runs.cancel(run.id as string));

  expect(seen.at(-1)).toBe("hang cancelled");
  expect(proxy.requests.filter((request) => request.includes("watch=1"))).toHaveLength(1);
  await proxy.stop();
});

// A row of "What happens when" in the docs.
test.each(["websocket", "sse"] as const)("what has ended while the connection was lost is told, and nothing twice (%s)", async (transport) => {
  const proxy = await new Proxy(server.port).start();
  const token = `watcher ${++people}`;
  const [near, far] = [createClient<Actions>({ url: server.url, token }), createClientIn<Actions>(HURRIED, { url: proxy.url, token, transport, openingMs: 60_000, idleMs: 600_000 })];
  const run = await near.hang.start({});
  const list = far.runs.watch({ status: "running" });
  const first = (await list.next()).value;

  const next = list.next();
  await near.runs.cancel(run.id as string);
  proxy.dropAll();

  expect(first?.status).toBe("running");
  const after = [(await next).value?.status];
  while (after.at(-1) !== "cancelled") after.push((await list.next()).value?.status);
  expect(new Set(after).size).toBe(after.length);
  await list.return();
  await proxy.stop();
});

test("an aborted signal ends the list, also while it waits", async () => {
  const stop = new AbortController();
  const list = client().runs.watch({}, { signal: stop.signal });
  const next = list.next();
  setTimeout(() => stop.abort(), 50);

  expect(await next).toEqual({ done: true, value: undefined });
  expect((await client().runs.watch({}, { signal: stop.signal }).next()).done).toBe(true);
});

test.each(["auto", "sse", "polling"] as const)("a caller who is refused is told so (%s)", async (transport) => {
  const list = createClient({ url: server.url, transport }).runs.watch();

  await expect(list.next()).rejects.toMatchObject({ code: "UNAUTHORIZED", statusCode: 401 });
});

test("a list that is refused over a socket is asked for by the page's own fetch", async () => {
  const token = `watcher ${++people}`;
  const signed: typeof fetch = (input, init) => fetch(input, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), Authorization: `Bearer ${token}` } });
  const mine = createClient<Actions>({ url: server.url, fetch: signed });
  await mine.count({ to: 1 }).result();

  expect((await mine.runs.watch().next()).value).toMatchObject({ action: "count", status: "completed" });
});

test("a list and a watched list have the details of runs that have not ended, if they are asked for", async () => {
  const mine = client();
  const run = await mine.hang.start({});

  const listed = await mine.runs.list({ details: true, limit: 1 });
  const watched = (await mine.runs.watch({ details: true, limit: 1 }).next()).value;

  for (const each of [listed[0], watched]) expect(each).toMatchObject({ id: run.id, cancelRequested: false, questions: [] });
  expect((await mine.runs.list())[0]).not.toHaveProperty("cancelRequested");
  await mine.runs.cancel(run.id as string);
});

test("a request without a token is not sent with that of another client of the page", async () => {
  const mine = client({ transport: "websocket" });
  await mine.count({ to: 1 }).result();
  const run = mine.runs.watch();
  await run.next();

  const anonymous = createClient({ url: server.url, transport: "websocket" });

  await expect(anonymous.runs.watch().next()).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  await run.return();
});

const page = (...runs: object[]): Scripted => json(200, { runs, next: null });

test("a server that was never reached is told after the tries of a short request, and one that was reached is waited for", async () => {
  const never = serve(Array.from({ length: 5 }, () => unreachable), { transport: "polling" });
  const away = serve([page({ id: "r1", status: "running" }), ...Array.from({ length: 12 }, () => unreachable), page({ id: "r1", status: "completed" })], { transport: "polling" });

  await expect(never.client.runs.watch().next()).rejects.toMatchObject({ code: "UNREACHABLE" });

  const list = away.client.runs.watch();
  expect([(await list.next()).value?.status, (await list.next()).value?.status]).toEqual(["running", "completed"]);
  await list.return();
  expect(away.page.isForgotten).toBe(true);
});

// A row of "What happens when" in the docs.
test("what is not a list is not taken for one", async () => {
  const { client: strange } = serve([json(200, { status: "ok" }), json(200, { runs: "none" }), json(200, []), json(200, { runs: null, id: "r1" }), json(200, {})]);

  await expect(strange.runs.list()).rejects.toMatchObject({ name: "ActionError", code: "UNREACHABLE", message: expect.stringContaining("Not the server's answer") as string });
});

test("a list that is refused rejects with the server's error", async () => {
  const { client: refused } = serve([refusal(401, { code: "UNAUTHORIZED" })]);

  await expect(refused.runs.list()).rejects.toMatchObject({ code: "UNAUTHORIZED" });
});
