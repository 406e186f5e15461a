/** What a client sends, and what its verbs do. */

import { format, inspect } from "node:util";
import { expect, onTestFinished, test, vi } from "vitest";
import * as vue from "vue";
import { ActionError, createClient, readStreamableValue } from "../src/index.js";
import { all } from "./support/events.js";
import { NativeURL, NativeURLSearchParams } from "./support/reactnative.js";
import { chunk, done, event, json, OPENING, refusal, serve, silent, stream, unreachable } from "./support/script.js";

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

const ended = stream(OPENING, done(1));

test("a call posts its input as JSON under the name that it was called by", async () => {
  const { client, asked } = serve([stream(OPENING, done(1, 3))]);

  const result = await client["importContacts"]?.({ n: 3 }).result();

  expect(result).toBe(3);
  expect(asked[0]).toMatchObject({ method: "POST", path: "importContacts", body: '{"n":3}' });
  expect(asked[0]?.headers.get("Content-Type")).toBe("application/json");
});

test("a call without input posts an empty object", async () => {
  const { call, asked } = serve([ended]);

  await call().result();

  expect(asked[0]?.body).toBe("{}");
});

test("files are parts of their own, and everything else is the JSON that it is without them, with the files' places", async () => {
  const { call, asked } = serve([ended]);
  const file = new File(["a"], "a.csv");

  await call({ file, note: null, deep: { "x/~": [1, file] }, text: "a\nb", day: new Date(0), raw: new Blob(["b"]) }).result();

  const entries = [...(asked[0]?.body as FormData)].map(([name, value]) => [name, value instanceof File ? value.name : JSON.parse(value)]);
  expect(entries).toEqual([
    [
      ":input",
      {
        input: { file: "a.csv", note: null, deep: { "x/~": [1, "a.csv"] }, text: "a\nb", day: "1970-01-01T00:00:00.000Z", raw: "blob" },
        files: ["/file", "/deep/x~1~0/1", "/raw"],
      },
    ],
    ["0", "a.csv"],
    ["1", "a.csv"],
    ["2", "blob"],
  ]);
  expect(asked[0]?.headers.get("Content-Type")).toBeNull();
});

test("an upload is answered at once with its run, which is then followed", async () => {
  const { call, asked } = serve([json(202, { id: "r1", status: "running" }), ended]);

  const result = await call({ file: new File(["a"], "a.csv") }).result();

  expect(result).toBeNull();
  expect(asked.map(({ path, headers }) => [path, headers.get("Prefer")])).toEqual([["count", "wait=0"], ["runs/r1/events", null]]);
});

test("a form is sent as it is", async () => {
  const { call, asked } = serve([ended]);
  const form = new FormData();

  await call(form as unknown as Record<string, unknown>).result();

  expect(asked[0]?.body).toBe(form);
});

test("a feed is opened by GET, with its input in the query", async () => {
  const { call, asked } = serve([ended]);

  await call({ symbol: ["a", "b"], n: 2, none: null }, { method: "GET" }).result();

  expect(asked[0]).toMatchObject({ method: "GET", path: "count?symbol=a&symbol=b&n=2" });
});

test("a feed that was called as any other action is found out, once", async () => {
  const wrong = refusal(405, { code: "METHOD_NOT_ALLOWED" });
  const { call, asked } = serve([wrong, ended, ended]);

  await call({ n: 1 }).result();
  await call({ n: 2 }).result();

  expect(asked.map(({ method }) => method)).toEqual(["POST", "GET", "GET"]);
});

test("an address that takes neither POST nor GET is refused", async () => {
  const wrong = refusal(405, { code: "METHOD_NOT_ALLOWED" });
  const { call } = serve([wrong, wrong]);

  await expect(call().result()).rejects.toMatchObject({ code: "METHOD_NOT_ALLOWED" });
});

test("start resolves with the id, and reads nothing until somebody wants to", async () => {
  const { call, asked } = serve([json(202, { id: "r1", status: "pending" }), stream(OPENING, chunk(1, "a"), done(2, 5))]);

  const run = await call.start({ n: 1 });

  expect([run.id, run.status, run.connection, asked.length]).toEqual(["r1", "pending", "idle", 1]);
  expect(asked[0]?.headers.get("Prefer")).toBe("respond-async");
  expect(await all(run)).toEqual(["a"]);
  expect(await run.result()).toBe(5);
});

test("start rejects with what refused it", async () => {
  const { call } = serve([refusal(402, { code: "OUT_OF_CREDIT" })]);

  await expect(call.start()).rejects.toMatchObject({ code: "OUT_OF_CREDIT" });
});

test("a run that was only started can be stopped, and says so", async () => {
  const { call } = serve([json(202, { id: "r1", status: "running" }), json(200, { id: "r1", status: "cancelled" })]);
  const run = await call.start();

  await run.stop();

  expect([run.status, run.connection]).toEqual(["cancelled", "idle"]);
});

test("a detached call is followed from the log", async () => {
  const { call, asked } = serve([json(202, { id: "r1", status: "pending" }), stream(OPENING, done(1, 1))]);

  expect(await call({}, { detached: true }).result()).toBe(1);

  expect(asked.map(({ path }) => path)).toEqual(["count", "runs/r1/events"]);
});

test("attach reads from the start of the log, or from a cursor", async () => {
  const { call, asked } = serve([stream(chunk(1, "a"), done(2)), stream(done(2))]);

  expect(await all(call.attach("r1"))).toEqual(["a"]);
  expect(await all(call.attach("r1", "r1.1"))).toEqual([]);

  expect(asked.map(({ headers }) => headers.get("Last-Event-ID"))).toEqual(["r1.0", "r1.1"]);
});

test("runs are listed, read, cancelled and forgotten", async () => {
  const run = { id: "r1", status: "running" };
  const { client, asked } = serve([json(200, { runs: [run], next: "n1" }), json(200, run), json(200, run), () => new Response(null, { status: 204 })]);

  const page = await client.runs.list({ status: "running", limit: 1 });
  const snapshot = await client.runs.get("r1");
  await client.runs.cancel("r1");
  await client.runs.delete("r1");

  expect([[...page], page.next, snapshot]).toEqual([[run], "n1", run]);
  expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "GET runs?status=running&limit=1",
    "GET runs/r1",
    "POST runs/r1/cancel",
    "DELETE runs/r1",
  ]);
});

test("a short request is repeated a few times, and then says what was wrong", async () => {
  const { client, page } = serve(Array.from({ length: 5 }, () => refusal(503, { code: "UNAVAILABLE" })));

  await expect(client.runs.get("r1")).rejects.toMatchObject({ code: "UNAVAILABLE" });

  expect(page.waitsMs).toEqual([500, 1000, 2000, 4000]);
});

const gone = refusal(404, { code: "NOT_FOUND" });

test.each([
  ["no answer", unreachable],
  ["502", refusal(502, {})],
  ["503", refusal(503, { code: "UNAVAILABLE" })],
  ["504", refusal(504, {})],
])("a run that is gone is forgotten, if an earlier try that was answered with %s has possibly done so", async (_, lost) => {
  const { client, asked } = serve([lost, refusal(429, { code: "RATE_LIMITED" }), gone]);

  await expect(client.runs.delete("r1")).resolves.toBeUndefined();

  expect(asked.map(({ method }) => method)).toEqual(["DELETE", "DELETE", "DELETE"]);
});

test("a run that was not there before is not found", async () => {
  for (const refused of [[], [refusal(429, { code: "RATE_LIMITED" }), refusal(425, {})]]) {
    const { client } = serve([...refused, gone]);

    await expect(client.runs.delete("r1")).rejects.toMatchObject({ code: "NOT_FOUND" });
  }
});

test("behind a lost answer, what else is refused, and what another server says, is refused", async () => {
  for (const refused of [refusal(401, { code: "UNAUTHORIZED" }), refusal(409, { code: "CONFLICT" }), () => new Response("<html>", { status: 404 })]) {
    const { client } = serve([unreachable, refused]);

    await expect(client.runs.delete("r1")).rejects.toBeInstanceOf(ActionError);
  }
});

test("a run that is read or cancelled is not found, whatever was lost before", async () => {
  const { client } = serve([unreachable, gone, unreachable, gone]);

  await expect(client.runs.get("r1")).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(client.runs.cancel("r1")).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("polling reads the same events at the pace that the server says", async () => {
  const { call, asked, page } = serve([
    json(202, { runId: "r1", status: "running" }),
    json(200, { status: "running", firstSeq: 1, retryAfterMs: 700, events: [{ seq: 1, type: "chunk", data: "a" }] }),
    json(200, { status: "completed", firstSeq: 1, retryAfterMs: null, events: [{ seq: 2, type: "done", data: { result: 9 } }] }),
  ]);
  const run = call({}, { transport: "polling" });

  expect(await all(run)).toEqual(["a"]);

  expect(await run.result()).toBe(9);
  expect([asked[0]?.headers.get("Prefer"), asked[2]?.path, page.waitsMs]).toEqual(["wait=0", "runs/r1?after=r1.1", [700]]);
});

test("headers and the token are asked for before every request", async () => {
  let count = 0;
  const { call, asked } = serve([stream(OPENING), stream(done(1))], {
    headers: async () => ({ "X-Tenant": `t${count}` }),
    token: () => `k${++count}`,
  });

  await call().result();

  expect(asked.map(({ headers }) => [headers.get("X-Tenant"), headers.get("Authorization")])).toEqual([
    ["t0", "Bearer k1"],
    ["t1", "Bearer k2"],
  ]);
});

test("a refused token is requested again, once", async () => {
  const refused: boolean[] = [];
  const unauthorized = refusal(401, { code: "UNAUTHORIZED" });
  const { call, asked } = serve([unauthorized, ended, unauthorized, unauthorized], {
    token({ isRefused }) {
      refused.push(isRefused);
      return isRefused ? "fresh" : "old";
    },
  });

  await call().result();

  expect(asked.map(({ headers }) => headers.get("Authorization"))).toEqual(["Bearer old", "Bearer fresh"]);
  await expect(call().result()).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  expect(refused).toEqual([false, true, false, true]);
});

test("a fixed token that is refused is not tried again", async () => {
  const { call, asked } = serve([refusal(401, { code: "UNAUTHORIZED" })], { token: "old" });

  await expect(call().result()).rejects.toMatchObject({ code: "UNAUTHORIZED" });

  expect(asked).toHaveLength(1);
});

test("a streamable value is each of its values", async () => {
  const chunks = [{ type: "value", value: "Dear" }, { type: "append", text: " reader" }, { type: "value", value: { a: 1 } }];
  const { call } = serve([stream(OPENING, ...chunks.map((data, n) => chunk(n + 1, data)), done(4, { a: 1 }))]);

  expect(await all(readStreamableValue(call()))).toEqual(["Dear", "Dear reader", { a: 1 }]);
});

test("a streamable value starts over if its attempt was lost", async () => {
  const grown = (seq: number, text: string): string => chunk(seq, { type: "append", text });
  const restarted = event(3, "restarted", { attempt: 2 });
  const { call } = serve([stream(OPENING, grown(1, "a"), grown(2, "b"), restarted, grown(4, "c"), done(5))]);

  expect(await all(readStreamableValue(call()))).toEqual(["a", "ab", "c"]);
});

test("a streamable value's error is thrown behind its values", async () => {
  const { call } = serve([stream(OPENING, chunk(1, { type: "append", text: "a" }), event(2, "error", { code: "FAILED" }))]);
  const seen: unknown[] = [];

  const reading = (async () => {
    for await (const value of readStreamableValue(call())) seen.push(value);
  })();

  await expect(reading).rejects.toMatchObject({ code: "FAILED" });
  expect(seen).toEqual(["a"]);
});

test("an action is the same function each time that it is asked for", () => {
  const { client } = serve([]);

  expect(client["count"]).toBe(client["count"]);
  expect(client["count"]?.action).toBe("count");
});

test("awaiting or serialising a client starts nothing", async () => {
  const { client, asked } = serve([]);

  JSON.stringify(await (client as unknown));
  Object.prototype.toString.call(client);

  expect(asked).toEqual([]);
});

test("showing, comparing or copying a client starts nothing", async () => {
  const { client, asked } = serve([]);
  const other = client as unknown as Record<string, unknown>;

  const shown = [`${client}`, String(client), client + "", format(client), inspect(client), (other["toLocaleString"] as () => string)()];
  expect(client).toEqual(client);
  expect(() => expect({ client }).toEqual({ client: expect.objectContaining({ runs: 1 }) })).toThrow();
  expect([vue.toRaw(client), vue.isRef(client), vue.isReactive(client), vue.reactive(client)]).toEqual([client, false, false, client]);
  for (const name of ["then", "toJSON", "asymmetricMatch", "$$typeof", "@@__IMMUTABLE_ITERABLE__@@", "_", Symbol.iterator]) {
    expect(other[name as string]).toBeUndefined();
  }

  expect(shown.slice(0, 3)).toEqual(Array(3).fill("[object Object]"));
  expect({ ...client }.runs).toBe(client.runs);
  await turns();
  expect(asked).toEqual([]);
});

test("React Native's URL, of which only the whole is implemented, is enough", async () => {
  await import("../src/lazy.js"); // loading takes time, and none passes here
  vi.stubGlobal("URL", NativeURL);
  vi.stubGlobal("URLSearchParams", NativeURLSearchParams);
  onTestFinished(() => void vi.unstubAllGlobals());
  const page = { runs: [], next: null };
  const snapshot = { id: "r1", status: "completed", firstSeq: 1, retryAfterMs: null, events: [{ seq: 1, type: "done", data: {} }] };
  const { client, call, asked } = serve([ended, ended, json(200, page), json(200, snapshot)], { url: "http://test/count", maxStreams: 1 });

  await call({ n: 1 }).result();
  await call({ tags: ["a b", "c"] }, { method: "GET" }).result();
  await client.runs.list({ limit: 2, label: "x&y" });
  await client.runs.attach("r1", "r1.0", { transport: "polling" }).result();

  expect(asked.map(({ path }) => path.replace("http://test/count/", ""))).toEqual([
    "count", "count?tags=a%20b&tags=c", "runs?limit=2&label=x%26y", "runs/r1?after=r1.0",
  ]);
});

test("a page that measures nothing counts its streams as one that speaks HTTP/1.1 does", async () => {
  vi.stubGlobal("location", new URL("http://unmeasured/"));
  vi.stubGlobal("performance", { now: () => 0 });
  onTestFinished(() => void vi.unstubAllGlobals());
  const { client, asked } = serve([...Array(4).fill(silent(OPENING)), json(200, {})], { url: "http://unmeasured/" });

  const runs = Array.from({ length: 5 }, () => client.runs.attach("r1"));
  while (asked.length < 5) await turns();

  expect(asked.slice(0, 5).map(({ path }) => path.replace(/^.*runs.r1/, ""))).toEqual([...Array(4).fill("/events"), "?after=r1.0"]);
  for (const run of runs) run.detach();
});

test("the page's own document tells that it speaks HTTP/2, whatever else it has loaded", async () => {
  const measured = [{ name: "first-paint" }, { name: "http://two/index.html", nextHopProtocol: "h2" }];
  vi.stubGlobal("location", new URL("http://two/"));
  vi.stubGlobal("performance", { now: () => 0, getEntries: () => measured });
  onTestFinished(() => void vi.unstubAllGlobals());
  const { client, asked } = serve(Array(5).fill(silent(OPENING)), { url: "http://two/" });

  const runs = Array.from({ length: 5 }, () => client.runs.attach("r1"));
  while (asked.length < 5) await turns();

  expect(asked.slice(0, 5).every(({ path }) => path.endsWith("/events"))).toBe(true);
  for (const run of runs) run.detach();
});

test("eleven runs and more can have one signal", async () => {
  const warned = vi.fn();
  process.on("warning", warned);
  onTestFinished(() => void process.off("warning", warned));
  const { call } = serve(Array(20).fill(silent(OPENING)));
  const abort = new AbortController();

  const runs = Array.from({ length: 20 }, () => call({}, { signal: abort.signal }));
  await turns();
  abort.abort();

  for (const run of runs) await expect(run.result()).rejects.toMatchObject({ name: "AbortError" });
  expect(warned).not.toHaveBeenCalled();
});

test("more streams than a browser has connections for become polls, and streams again when there is room", async () => {
  await Promise.all([import("../src/lazy.js"), import("../src/transports/websocket.js")]); // loading takes time, and none passes here
  const poll = (seq: number): object => ({ status: "running", firstSeq: 1, retryAfterMs: 700, events: [{ seq, type: "chunk", data: seq }] });
  let ends = (): void => undefined;
  const first = new Promise<void>((resolve) => (ends = resolve));
  const { client, asked } = serve(
    [silent('id: r2.0\nevent: run\ndata: {"id":"r2","status":"running"}\n\n'), json(200, poll(1)), json(200, poll(2)), stream(done(3))],
    { maxStreams: 1, url: "http://crowded/" },
  );
  const other = client.runs.attach("r2");
  other.subscribe(() => other.connection === "open" && ends());
  await first;
  const run = client.runs.attach("r1");
  for await (const { seq } of run.events()) if (seq === 2) other.detach();

  await run.result();

  expect(asked.map(({ path }) => path.replace("http://crowded/", ""))).toEqual([
    "runs/r2/events",
    "runs/r1?after=r1.0",
    "runs/r1?after=r1.1",
    "runs/r1/events",
  ]);
});

test("the URL can be relative to the page, with or without a slash at its end", async () => {
  const urls: string[] = [];
  const fetch = async (url: RequestInfo | URL): Promise<Response> => {
    urls.push(String(url));
    return Response.json({ error: { code: "NOT_FOUND" } }, { status: 404 });
  };

  for (const url of ["http://test/api", "http://test/api/", new URL("http://test/api")]) {
    await createClient({ url, fetch }).runs.get("r1").catch(() => undefined);
  }

  expect(new Set(urls)).toEqual(new Set(["http://test/api/runs/r1"]));
});
