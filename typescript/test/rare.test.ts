/** Orders of events that are rare, and rare surroundings. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, expect, test, vi } from "vitest";
import { createClientIn } from "../src/client.js";
import { PAGE } from "../src/environment.js";
import { type AnyActions, createClient } from "../src/index.js";
import "../src/lazy.js"; // both loaded before: the time of the page does not wait for them
import "../src/transports/xhr.js";
import { all } from "./support/events.js";
import { chunk, done, event, json, never, OPENING, serve, silent, stream, unreachable } from "./support/script.js";

afterEach(() => vi.unstubAllGlobals());

const nothing = (): Response => new Response(null, { status: 204 });

const turns = async (count = 20): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test("a client of a relative address can be made where there is no page, and says so when it is asked", async () => {
  const client = createClient({ url: "/api/_actions" });

  await expect(client["count"]!().result()).rejects.toBeInstanceOf(TypeError);
});

test("an upload is not restarted by a page that wakes up", async () => {
  const { call, asked, page } = serve([never, never]);
  const run = call({ file: new File(["a".repeat(1_000_000)], "a.csv") });
  while (!asked.length) await turns(1);

  page.wake({ afterMs: 30_000 });
  await turns();

  expect(asked).toHaveLength(1);
  run.detach();
});

test("a page that wakes up late still waits as long as the server has asked", async () => {
  const { call, page } = serve([json(503, {}, { "Retry-After": "60" }), stream(OPENING, done(1))]);
  const run = call();
  while (run.connection !== "waiting") await Promise.resolve();

  page.wake({ afterMs: 30_000 });
  await run.result();

  expect(page.now()).toBe(1_000_000 + 60_000);
});

test("the outcome of a run that has nothing more to say is asked for until there is an answer", async () => {
  const snapshot = { id: "r1", status: "completed", seq: 4, result: 7, text: null, progress: null, error: null };
  const { client } = serve([nothing, ...Array.from({ length: 5 }, () => [unreachable, nothing]).flat(), json(200, snapshot)]);

  expect(await client.runs.attach("r1", "r1.4").result()).toBe(7);
});

test("a run whose outcome is being asked for can be left", async () => {
  const { client, asked, page } = serve([nothing, never]);
  const run = client.runs.attach("r1", "r1.4");
  while (asked.length < 2) await turns(1);

  run.detach();

  await expect(run.result()).rejects.toMatchObject({ name: "AbortError" });
  expect(page.isForgotten).toBe(true);
});

test("a run can be left while its token is not there yet", async () => {
  const { call, asked, page } = serve([], { token: () => new Promise<string>(() => undefined) });
  const run = call();
  await turns(1);

  run.detach();

  await expect(run.result()).rejects.toMatchObject({ name: "AbortError" });
  expect([asked, page.isForgotten]).toEqual([[], true]);
});

test("what is not kept is let go", async () => {
  const chunks = Array.from({ length: 9 }, (_, n) => chunk(n + 1, { n }));
  const { call } = serve([stream(OPENING, ...chunks, done(10))], { keep: 3 });
  const run = call();
  const seen: WeakRef<object>[] = [];
  run.subscribe((batch) => seen.push(...batch.map((one) => new WeakRef(one))));

  await run.result();
  await new Promise((resolve) => setTimeout(resolve, 20));
  setFlagsFromString("--expose_gc");
  (runInNewContext("gc") as () => void)();

  expect(seen).toHaveLength(10);
  expect(seen.filter((ref) => ref.deref()).length).toBeLessThan(5);
  expect(run.status).toBe("completed");
});

test("a client's transport is that of its starts too", async () => {
  const opened: string[] = [];
  class Opened extends EventTarget {
    open(method: string, url: string): void {
      opened.push(`${method} ${url}`);
    }
    setRequestHeader(): void {}
    send(): void {}
    abort(): void {
      this.dispatchEvent(new Event("abort"));
    }
  }
  vi.stubGlobal("XMLHttpRequest", Opened);
  const { call } = serve([never], { transport: "xhr" });
  const run = call();
  await vi.waitUntil(() => opened.length, { timeout: 1000 }).catch(() => undefined);

  expect(opened[0]).toBe("POST http://test/api/count");
  run.detach();
});

test("a request that was given up before it was carried ends, by XMLHttpRequest too", async () => {
  class Unsent extends EventTarget {
    open(): void {}
    setRequestHeader(): void {}
    abort(): void {} // nothing was sent, so nothing is told
  }
  vi.stubGlobal("XMLHttpRequest", Unsent);
  const { call } = serve([], { transport: "xhr" });
  const run = call({}, { transport: "xhr" });
  await Promise.resolve();

  run.detach();

  await expect(run.result()).rejects.toMatchObject({ name: "AbortError" });
});

test("a time without an end is waited for", async () => {
  const called = vi.fn();
  const stop = PAGE.after(Number.POSITIVE_INFINITY, called);
  await new Promise((resolve) => setTimeout(resolve, 20));
  stop();

  expect(called).not.toHaveBeenCalled();
});

test("a start whose input cannot be sent rejects", async () => {
  const { call } = serve([]);

  await call.start({ n: 1n }).catch((reason: unknown) => expect(reason).toBeInstanceOf(TypeError));
});

test("a token that could not be had is tried again", async () => {
  let count = 0;
  const token = () => {
    if (count++ === 1) throw new TypeError("Failed to fetch");
    return "kate";
  };
  const { call } = serve([stream(OPENING, chunk(1, "a")), stream(done(2))], { token });

  expect(await all(call())).toEqual(["a"]);
});

test.each([null, 0, "", false])("%j is a chunk, and a result", async (value) => {
  const { call } = serve([stream(OPENING, chunk(1, value), done(2, value))]);
  const run = call();

  expect([await all(run), await run.result()]).toEqual([[value], value]);
});

test("an iteration that begins in a later attempt sees none of the one before", async () => {
  const frames = [chunk(1, "old"), event(2, "restarted", { attempt: 2 }), chunk(3, "a"), chunk(4, "b"), done(5)];
  const { call } = serve([stream(OPENING, ...frames)], { keep: 3 });
  const run = call();
  await run.result();

  expect(await all(run)).toEqual(["a", "b"]);
});

test("a run that was iterated to its middle can be iterated again", async () => {
  const { call, asked } = serve([silent(OPENING, chunk(1, "a")), stream(chunk(2, "b"), done(3))]);
  const run = call();
  for await (const _ of run) break;

  expect(await all(run)).toEqual(["a", "b"]);
  expect(asked[1]?.headers.get("Last-Event-ID")).toBe("r1.1");
});

test("every listener is taken away", async () => {
  const listening = new Map<string, number>();
  const count = (by: number) => (type: string) => void listening.set(type, (listening.get(type) ?? 0) + by);
  vi.stubGlobal("addEventListener", count(1));
  vi.stubGlobal("removeEventListener", count(-1));
  const answers = [stream(OPENING, chunk(1, 1)), stream(done(2))];
  const fetch: typeof globalThis.fetch = async (_, init = {}) => answers.shift()!(init);
  const client = createClientIn<AnyActions>(PAGE, { url: "http://test/", fetch });

  await client["count"]!().result();
  await turns();

  expect([...listening]).toEqual([["online", 0], ["pageshow", 0], ["visibilitychange", 0]]);
});

test("a server that asks for no wait is not asked without one", async () => {
  const { call, page } = serve([stream(OPENING, "retry: 0\n\n"), unreachable, stream(done(1))]);

  await call().result();

  expect(page.waitsMs).toEqual([500, 1000]);
});
