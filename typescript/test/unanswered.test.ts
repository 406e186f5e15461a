/** Answers that are not the server's: others in their place, none at all, and requests that cannot leave. */

import { mkdtempSync, openAsBlob, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { createClientIn } from "../src/client.js";
import { type Environment, PAGE } from "../src/environment.js";
import type { AnyAction, AnyActions, ClientOptions } from "../src/index.js";
import { all } from "./support/events.js";
import { chunk, done, json, never, OPENING, refusal, type Scripted, serve, silent, stream, unreachable } from "./support/script.js";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.doUnmock("../src/transports/xhr.js");
  vi.doUnmock("../src/lazy.js");
});

const page = (status: number, body: string | null, type?: string): Scripted => () => {
  const response = new Response(body, { status });
  response.headers.delete("Content-Type");
  if (type) response.headers.set("Content-Type", type);
  return response;
};

/** Answers of proxies and gateways between a client and its server. */
const FOREIGN: readonly (readonly [string, Scripted])[] = [
  ...[400, 401, 403, 404, 405, 410, 500, 501, 502, 503].map((status) => [`${status} html`, page(status, "<h1>No</h1>", "text/html")] as const),
  ...[404, 418, 499, 500, 509, 520, 521, 525, 530, 599].map((status) => [`${status} text`, page(status, "error code: 1", "text/plain")] as const),
  ...[200, 202, 404, 500].map((status) => [`${status} without a body`, page(status, null)] as const),
  ["200 html, as of a sign-in page that was redirected to", page(200, "<form>", "text/html; charset=utf-8")],
  ["200 html that says that it is JSON", page(200, "<form>", "application/json")],
  ["200 of another's JSON", json(200, { signIn: "/login" })],
  ["a redirect that was not followed", page(302, null)],
  ["404 of a framework's JSON", json(404, { detail: "Not Found" })],
  ["403 of a gateway's JSON", json(403, { error: { code: 403, message: "Forbidden" } })],
  ["502 of a gateway's JSON", json(502, { error: { code: "502", message: "Bad gateway" } })],
  ["404 of a cloud's JSON", json(404, { error: { code: "ResourceNotFound", message: "No." } })],
  ["an error whose text is not an object", json(500, { error: "Internal Server Error" })],
];

// A row of "What happens when" in the docs.
test.each(FOREIGN)("a start that is answered with %s is sent again, under the same key", async (_, foreign) => {
  const { call, asked } = serve([foreign, stream(OPENING, done(1, 7))]);

  expect(await call().result()).toBe(7);

  expect(new Set(asked.map(({ headers }) => headers.get("Idempotency-Key"))).size).toBe(1);
});

// A row of "What happens when" in the docs.
test.each(FOREIGN)("a followed run continues over %s", async (_, foreign) => {
  const { call, asked } = serve([stream(OPENING, chunk(1, "a")), foreign, foreign, stream(chunk(2, "b"), done(3))]);

  expect(await all(call())).toEqual(["a", "b"]);

  expect(asked.at(-1)?.headers.get("Last-Event-ID")).toBe("r1.1");
});

test.each(FOREIGN)("a polled run continues over %s", async (_, foreign) => {
  const last = { status: "completed", firstSeq: 1, retryAfterMs: null, events: [{ seq: 1, type: "done", data: { result: 9 } }] };
  const { call } = serve([json(202, { id: "r1", status: "running" }), foreign, json(200, last)], { transport: "polling" });

  expect(await call().result()).toBe(9);
});

test.each(FOREIGN)("a stop, a snapshot, a list and a delete that are answered with %s are sent again", async (_, foreign) => {
  const snapshot = { id: "r1", status: "cancelled" };
  const answers = [json(200, snapshot), json(200, snapshot), json(200, { runs: [], next: null }), page(204, null)];
  const { client } = serve(answers.flatMap((answer) => [foreign, answer]));

  expect(await client.runs.cancel("r1")).toEqual(snapshot);
  expect(await client.runs.get("r1")).toEqual(snapshot);
  expect(await client.runs.list()).toEqual(Object.assign([], { next: null }));
  await expect(client.runs.delete("r1")).resolves.toBeUndefined();
});

// A row of "What happens when" in the docs.
test("what is answered in the server's place is what a run is given up with, and with what was seen", async () => {
  const signIn = page(200, "<form>", "text/html");
  const { client, call } = serve(Array.from({ length: 20 }, () => signIn), { giveUpMs: 5_000 });
  const reason = { code: "UNREACHABLE", statusCode: 0, retryable: true, message: expect.stringContaining("HTTP 200 text/html") as string };

  await expect(call().result()).rejects.toMatchObject(reason);
  await expect(client.runs.attach("r1").result()).rejects.toMatchObject({ ...reason, runId: "r1" });
  await expect(client.runs.get("r1")).rejects.toMatchObject(reason);
});

// A row of "What happens when" in the docs.
test.each([413, 414, 431])("%d of a proxy is final: what is too large for it stays so", async (status) => {
  const { call, asked } = serve([page(status, "<h1>Too large</h1>", "text/html")]);

  await expect(call().result()).rejects.toMatchObject({ code: "HTTP_ERROR", statusCode: status });

  expect(asked).toHaveLength(1);
});

test("an error of the server is one, whatever a proxy has done to its headers", async () => {
  const error = JSON.stringify({ error: { code: "OUT_OF_CREDIT", message: "No credit.", statusCode: 402, data: { left: 0 }, runId: "r1" } });
  for (const type of [undefined, "text/plain", "application/octet-stream"]) {
    const { call, asked } = serve([page(402, error, type)]);
    const run = call();

    await expect(run.result()).rejects.toMatchObject({ code: "OUT_OF_CREDIT", statusCode: 402, data: { left: 0 } });

    expect([asked.length, run.id, run.status]).toEqual([1, "r1", "failed"]);
  }
});

test("an action's own code can be written in any case", async () => {
  const { call } = serve([refusal(402, { code: "outOfCredit", statusCode: 402 })]);

  await expect(call().result()).rejects.toMatchObject({ code: "outOfCredit" });
});

const times = (count: number, answer: Scripted): Scripted[] => Array.from({ length: count }, () => answer);

// A row of "What happens when" in the docs.
test.each([
  ["no answer, as where CORS refuses the origin", unreachable],
  ["a page", page(404, "<h1>Not found</h1>", "text/html")],
])("a start that reaches no server, but %s, is given up in half a minute or little more, unless told otherwise", async (_, answer) => {
  const { call, page: clock } = serve(times(20, answer));

  await expect(call().result()).rejects.toMatchObject({ code: "UNREACHABLE" });

  expect(clock.now() - 1_000_000).toBeGreaterThanOrEqual(30_000);
  expect(clock.now() - 1_000_000).toBeLessThan(46_000);
});

// A row of "What happens when" in the docs.
test.each([
  ["a proxy says that the server is away for now", page(502, "<h1>Bad gateway</h1>", "text/html")],
  ["the server itself does", refusal(503, { code: "UNAVAILABLE" })],
])("a start is repeated for as long as it takes where %s", async (_, away) => {
  const { call, page: clock } = serve([unreachable, ...times(20, away), stream(OPENING, done(1, 7))]);

  expect(await call().result()).toBe(7);
  expect(clock.now() - 1_000_000).toBeGreaterThan(120_000);
});

// A row of "What happens when" in the docs.
test("a run that is known is followed for as long as it takes", async () => {
  const { call } = serve([stream(OPENING), ...times(20, unreachable), ...times(20, page(404, "", "text/html")), stream(done(1, 7))]);

  expect(await call().result()).toBe(7);
});

test("a run whose id came with a head, and nothing behind it, is followed for as long as it takes", async () => {
  const head: Scripted = () => new Response(new ReadableStream({ start: (it) => it.error(new TypeError("gone")) }), { headers: { "Run-Id": "r1", "Content-Type": "text/event-stream" } });
  const { call } = serve([head, ...times(20, unreachable), stream(OPENING, done(1, 7))]);

  expect(await call().result()).toBe(7);
});

// A row of "What happens when" in the docs.
test.each(["cancel", "get", "list", "delete"] as const)("runs.%s that is never answered is cut, sent again, and ends", async (verb) => {
  const { client, asked, page: clock } = serve(times(5, never), { requestMs: 2_000 });

  await expect(client.runs[verb]("r1" as never)).rejects.toMatchObject({ code: "UNREACHABLE", message: expect.stringContaining("no answer in 2000 ms") as string });

  expect([asked.length, clock.isForgotten]).toEqual([5, true]);
  expect(clock.now() - 1_000_000).toBe(5 * 2_000 + 500 + 1_000 + 2_000 + 4_000);
});

test("a short request is also cut if its body does not end, and continues with the answer of the next", async () => {
  const endless: Scripted = () => new Response(new ReadableStream(), { headers: { "Content-Type": "application/json" } });
  const { client } = serve([endless, json(200, { id: "r1", status: "running" })]);

  expect(await client.runs.get("r1")).toEqual({ id: "r1", status: "running" });
});

// A row of "What happens when" in the docs.
test("stop is cut where nothing answers it", async () => {
  const { call, asked } = serve([silent(OPENING), ...times(5, never), ...times(20, silent())], { requestMs: 1_000 });
  const run = call();
  while (!run.id) await Promise.resolve();

  await expect(run.stop()).rejects.toMatchObject({ code: "UNREACHABLE" });

  expect(asked.filter(({ path }) => path === "runs/r1/cancel")).toHaveLength(5);
  run.detach();
});

// A row of "What happens when" in the docs.
test("a token or headers that never come end a call, and a short request", async () => {
  const hung = (): Promise<never> => new Promise(() => undefined);
  for (const options of [{ token: hung }, { headers: hung }]) {
    const { client, call, asked, page: clock } = serve([], options);

    await expect(client.runs.get("r1")).rejects.toMatchObject({ code: "UNREACHABLE" });
    await expect(call().result()).rejects.toMatchObject({ code: "UNREACHABLE" });
    await expect(call.start()).rejects.toMatchObject({ code: "UNREACHABLE" });

    expect([asked, clock.isForgotten]).toEqual([[], true]);
  }
});

// A row of "What happens when" in the docs.
test("a start that is never answered is sent again, and ends", async () => {
  const { call, asked } = serve(times(10, never));

  await expect(call.start()).rejects.toMatchObject({ code: "UNREACHABLE", message: expect.stringContaining("no answer in 45000 ms") as string });

  expect(asked.length).toBeGreaterThan(1);
});

// A row of "What happens when" in the docs.
test("an upload that is never answered has the time that its size takes, and ends", async () => {
  const { call, asked, page: clock } = serve(times(3, never), { giveUpMs: 1 });

  await expect(call({ file: new File(["a".repeat(800_000)], "a.csv") }).result()).rejects.toMatchObject({ code: "UNREACHABLE" });

  expect(asked).toHaveLength(2);
  expect((clock.now() - 1_000_000) / 2).toBeGreaterThan(145_000);
  expect((clock.now() - 1_000_000) / 2).toBeLessThan(147_000);
});

/** A client in a page whose time is real: reading a file, or loading a module, takes some. */
function inRealTime(answers: readonly Scripted[], options: Partial<ClientOptions> = {}) {
  const left = [...answers];
  const waitsMs: number[] = [];
  const page: Environment = { ...PAGE, after: (ms, callback) => PAGE.after(ms, () => (waitsMs.push(ms), callback())) };
  const fetch = vi.fn<typeof globalThis.fetch>(async (_, init = {}) => left.shift()!(init));
  const client = createClientIn<AnyActions>(page, { url: "http://test/api", fetch, ...options });
  return { call: client["count"] as AnyAction, fetch, waitsMs };
}

/** A file on disk that is read from there each time, as one that a user has chosen is. */
async function chosen(name: string): Promise<{ file: Blob; path: string }> {
  const path = join(mkdtempSync(join(tmpdir(), "yieldwire-")), name);
  writeFileSync(path, "a,b\n1,2\n");
  return { file: await openAsBlob(path), path };
}

// A row of "What happens when" in the docs.
test.each([
  ["deleted", (path: string) => rmSync(path)],
  ["changed", (path: string) => writeFileSync(path, "a,b\n1,2\n3,4\n")],
])("a file that was %s since it was chosen ends the call at once, and says so", async (_, spoil) => {
  for (const isListed of [false, true]) {
    const { file, path } = await chosen("a.csv");
    const { call, fetch, waitsMs } = inRealTime([]);
    spoil(path);

    const run = call({ file: isListed ? [new File(["b"], "b.csv"), file] : file });

    await expect(run.result()).rejects.toMatchObject({ code: "FILE_UNREADABLE", retryable: false, message: expect.stringContaining("choose it again") as string });
    expect([fetch.mock.calls, waitsMs, run.connection]).toEqual([[], [], "closed"]);
  }
});

// A row of "What happens when" in the docs.
test("a file that is deleted between two tries ends the call before the second", async () => {
  const { file, path } = await chosen("a.csv");
  const { call, fetch } = inRealTime([
    () => {
      rmSync(path);
      throw new TypeError("Failed to fetch");
    },
  ]);

  await expect(call({ file }).result()).rejects.toMatchObject({ code: "FILE_UNREADABLE" });

  expect(fetch).toHaveBeenCalledTimes(1);
});

// A row of "What happens when" in the docs.
test.each(["auto", "xhr"] as const)("if a deploy has removed the part that reports an upload, it is still sent (%s)", async (transport) => {
  vi.stubGlobal("XMLHttpRequest", class {});
  vi.doMock("../src/transports/xhr.js", () => {
    throw new TypeError("Failed to fetch dynamically imported module");
  });
  const { call, fetch } = inRealTime([json(202, { id: "r1", status: "running" }), stream(OPENING, done(1, 7))], { transport });

  expect(await call({ file: new File(["a"], "a.csv") }, { onUpload: () => undefined }).result()).toBe(7);

  expect(fetch.mock.calls.map(([url]) => url)).toEqual(["http://test/api/count", "http://test/api/runs/r1/events"]);
});

// A row of "What happens when" in the docs.
test("where a deploy has taken away what counts streams over tabs, they are not counted", async () => {
  vi.doMock("../src/lazy.js", () => {
    throw new TypeError("Failed to fetch dynamically imported module");
  });
  const { call } = inRealTime([stream(OPENING, done(1, 7))], { maxStreams: 1 });

  expect(await call().result()).toBe(7);
});
