/** What a run promises, against scripted answers, in a page whose time the test moves. */

import { expect, test } from "vitest";
import { ActionError } from "../src/index.js";
import { all } from "./support/events.js";
import { broken, chunk, done, event, json, never, OPENING, refusal, serve, silent, stream, unreachable } from "./support/script.js";

test("an end of the body without a terminal event is resumed after the last whole frame", async () => {
  const cut = chunk(2, "b").slice(0, -1);
  const { call, asked } = serve([stream(OPENING, chunk(1, "a"), cut), stream(chunk(2, "b"), done(3))]);

  const chunks = await all(call());

  expect(chunks).toEqual(["a", "b"]);
  expect(asked[1]).toMatchObject({ method: "GET", path: "runs/r1/events" });
  expect(asked[1]?.headers.get("Last-Event-ID")).toBe("r1.1");
});

test("a broken connection is resumed, also before the first chunk", async () => {
  const { call, asked } = serve([broken(), stream(chunk(1, "a")), broken(), stream(done(2))]);

  const chunks = await all(call());

  expect(chunks).toEqual(["a"]);
  expect(asked.slice(1).map(({ headers }) => headers.get("Last-Event-ID"))).toEqual(["r1.0", "r1.1", "r1.1"]);
});

// A row of "What happens when" in the docs.
test("a start whose answer was lost is repeated with the same key", async () => {
  const { call, asked } = serve([unreachable, unreachable, stream(OPENING, done(1))]);

  await call().result();

  const keys = asked.map(({ headers }) => headers.get("Idempotency-Key"));
  expect(new Set(keys).size).toBe(1);
  expect(keys[0]).toMatch(/^\d+(-\d+){15}$/);
});

// A row of "What happens when" in the docs.
test("answers that pass are waited for, longer each time and within bounds", async () => {
  const passing = [408, 425, 429, 502, 503, 504, 502, 502].map((status) => json(status, {}));
  const { call, page } = serve([...passing, refusal(500, { code: "X", retryable: true }), stream(OPENING, done(1))]);

  await call().result();

  expect(page.waitsMs).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000]);
});

test("Retry-After and the stream's own retry are waited for", async () => {
  const { call, page } = serve([
    stream(OPENING, chunk(1, "a"), "retry: 2000\n\n"),
    json(503, {}, { "Retry-After": "7" }),
    stream(done(2)),
  ]);

  await call().result();

  expect(page.waitsMs).toEqual([2000, 7000]);
});

test("a Retry-After can be a date", async () => {
  const { call, page } = serve([json(503, {}, { "Retry-After": new Date(1_009_000).toUTCString() }), stream(OPENING, done(1))]);

  await call().result();

  expect(page.waitsMs).toEqual([9000]);
});

// A row of "What happens when" in the docs.
test.each([400, 401, 403, 404, 409, 410, 413, 415, 422, 500])("%d is final and reaches the caller typed", async (status) => {
  const facts = { code: "SOME_CODE", fieldErrors: { n: ["Too small."] }, data: { a: 1 }, errorId: "e1" };
  const { call } = serve([refusal(status, facts, { "X-Request-Id": "q1" })]);
  const run = call();

  await expect(run.result()).rejects.toMatchObject({ ...facts, message: "No.", statusCode: status, requestId: "q1" });

  await expect(all(run)).rejects.toBeInstanceOf(ActionError);
  expect([run.status, run.connection, run.error?.code]).toEqual([undefined, "closed", "SOME_CODE"]);
});

test("an answer that passes is not repeated where it is the started run's own end", async () => {
  const { call, asked } = serve([refusal(504, { code: "TIMEOUT", runId: "r1" })]);
  const run = call();

  await expect(run.result()).rejects.toMatchObject({ code: "TIMEOUT" });

  expect([asked.length, run.id, run.status]).toEqual([1, "r1", "failed"]);
});

test("a refusal while resuming ends the reading and leaves the run's status alone", async () => {
  const { call } = serve([stream(OPENING, chunk(1, "a")), refusal(403, { code: "FORBIDDEN" })]);
  const run = call();

  await expect(all(run.events())).rejects.toMatchObject({ code: "FORBIDDEN" });

  expect([run.status, run.connection, run.error?.code]).toEqual(["running", "closed", "FORBIDDEN"]);
});

test("the action's error is the last event, and thrown behind the chunks", async () => {
  const error = { code: "OUT_OF_CREDIT", message: "No credit.", statusCode: 402, data: { left: 0 } };
  const { call } = serve([stream(OPENING, chunk(1, "a"), event(2, "error", error))]);
  const run = call();
  const seen: unknown[] = [];

  const reading = (async () => {
    for await (const one of run) seen.push(one);
  })();

  await expect(reading).rejects.toMatchObject(error);
  expect([seen, run.status, (await all(run.events())).length]).toEqual([["a"], "failed", 2]);
});

test("204 says that nothing follows, and the snapshot has the outcome", async () => {
  const snapshot = { id: "r1", status: "completed", seq: 4, result: 7, text: "Hey", progress: null, error: null };
  const { client } = serve([() => new Response(null, { status: 204 }), json(200, snapshot)]);
  const run = client.runs.attach("r1", "r1.4");

  expect(await run.result()).toBe(7);

  expect([run.status, run.text]).toEqual(["completed", "Hey"]);
});

test("a reset moves the cursor to what is still there", async () => {
  const reset = 'id: r1.4\nevent: reset\ndata: {"firstSeq":5}\n\n';
  const { client, asked } = serve([stream(OPENING, reset), stream(chunk(5, "e"), done(6))]);
  const run = client.runs.attach("r1");

  expect(await all(run)).toEqual(["e"]);

  expect([run.firstSeq, asked[1]?.headers.get("Last-Event-ID")]).toEqual([5, "r1.4"]);
});

test("a lost attempt's text and progress are dropped, and iterations that begin later do not see its chunks", async () => {
  const text = (seq: number, value: string): string => chunk(seq, { type: "text", text: value });
  const { call } = serve([stream(OPENING, text(1, "old"), event(2, "restarted", { attempt: 2 }), text(3, "new"), done(4))]);
  const run = call();

  await run.result();

  expect([run.text, run.attempt, run.progress]).toEqual(["new", 2, undefined]);
  expect(await all(run)).toEqual([{ type: "text", text: "new" }]);
  expect(await all(run.events())).toHaveLength(4);
});

test("a frame that is repeated on the way is given out once", async () => {
  const { call } = serve([stream(OPENING, chunk(1, "a"), chunk(1, "a"), done(2))]);

  expect(await all(call())).toEqual(["a"]);
});

test("frames completed before invalid bytes are delivered", async () => {
  const { call } = serve([stream(OPENING, `${chunk(1, "a")}data: {nope\n\n`)]);
  const run = call();
  const seen: unknown[] = [];
  run.subscribe((batch) => seen.push(...batch));

  await expect(run.result()).rejects.toMatchObject({ code: "PROTOCOL_ERROR" });

  expect(seen).toHaveLength(1);
});

test("another run's stream is refused", async () => {
  const { client } = serve([stream('id: r2.0\nevent: run\ndata: {"id":"r2","status":"running"}\n\n')]);

  await expect(client.runs.attach("r1").result()).rejects.toMatchObject({ code: "PROTOCOL_ERROR" });
});

test("events of unknown types are passed, and the run is resumed behind them", async () => {
  const notice = "event: notice\ndata: without a place\n\n";
  const { call, asked } = serve([
    stream(OPENING, notice, chunk(1, "a"), event(2, "surprise", { of: "a later version" }), event(3, "constructor", {})),
    stream(chunk(4, "b"), event(5, "done", { result: 7, more: [1] })),
  ]);
  const run = call();

  const events = await all(run.events());

  expect(events.map(({ seq, type }) => [seq, type])).toEqual([[1, "chunk"], [4, "chunk"], [5, "done"]]);
  expect(await run.result()).toBe(7);
  expect(asked[1]?.headers.get("Last-Event-ID")).toBe("r1.3");
});

test("an event of an unknown type with its place in another run moves nothing", async () => {
  const child = "id: child.7\nevent: surprise\ndata: {}\n\n";
  const { call } = serve([stream(OPENING, child, chunk(1, "a"), child, chunk(2, "b"), done(3, 7))]);
  const run = call();

  expect(await all(run)).toEqual(["a", "b"]);
  expect(await run.result()).toBe(7);
});

test("only the events that are known to end a run end it", async () => {
  const { call } = serve([stream(OPENING, event(1, "finished", { result: 1 })), stream(done(2, 2))]);

  expect(await call().result()).toBe(2);
});

test("a poll can bring unknown events, members and a status", async () => {
  const snapshot = { id: "r1", firstSeq: 1, mood: "fine", cursor: "r1.2" };
  const first = [
    { seq: 1, type: "chunk", data: "a", at: "2030-01-01" },
    { seq: 2, type: "surprise", data: null },
  ];
  const { call, asked } = serve(
    [
      json(202, { ...snapshot, status: "hibernating", seq: 0 }, { "Run-Id": "r1" }),
      json(200, { ...snapshot, status: "hibernating", seq: 2, events: first, retryAfterMs: 500 }),
      json(200, { ...snapshot, status: "completed", seq: 3, events: [{ seq: 3, type: "done", data: { result: 7 } }], retryAfterMs: null }),
    ],
    { transport: "polling" },
  );
  const run = call();

  expect(await all(run)).toEqual(["a"]);
  expect(await run.result()).toBe(7);
  expect(asked.at(-1)?.path).toContain("after=r1.2");
  expect(run.status).toBe("completed");
});

test("a cursor that is none is refused without asking", async () => {
  const { client, asked } = serve([]);

  await expect(client.runs.attach("r1", "r2.7").result()).rejects.toMatchObject({ code: "GONE", statusCode: 410 });
  await expect(client.runs.attach("r1", "seven").result()).rejects.toMatchObject({ code: "PARSE_ERROR", statusCode: 400 });

  expect(asked).toEqual([]);
});

test("every iteration sees every event, also one that begins behind the end", async () => {
  const { call } = serve([stream(OPENING, chunk(1, "a"), done(2))]);
  const run = call();

  const [first, second] = await Promise.all([all(run.events()), all(run.events())]);

  expect(first.map(({ type }) => type)).toEqual(["chunk", "done"]);
  expect([second, await all(run.events())]).toEqual([first, first]);
});

test("an iteration that begins late sees the newest events, as many as are kept", async () => {
  const chunks = Array.from({ length: 9 }, (_, n) => chunk(n + 1, n + 1));
  const { call } = serve([stream(OPENING, ...chunks, done(10))], { keep: 3 });
  const run = call();

  await run.result();

  expect((await all(run.events())).map(({ seq }) => seq)).toEqual([8, 9, 10]);
  expect(await all(run)).toEqual([8, 9]);
});

test("an iteration that is under way misses nothing, however few events are kept", async () => {
  const chunks = Array.from({ length: 9 }, (_, n) => chunk(n + 1, n + 1));
  const { call } = serve([stream(OPENING, ...chunks, done(10))], { keep: 1 });

  expect(await all(call())).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a listener hears what was, each batch as it came, and of the end", async () => {
  const { call } = serve([stream(OPENING + chunk(1, "a") + chunk(2, "b"), done(3))]);
  const run = call();
  await run.result();
  const batches: number[][] = [];

  run.subscribe((batch) => batches.push(batch.map(({ seq }) => seq)));
  await Promise.resolve();

  expect(batches).toEqual([[1, 2, 3]]);
});

test("a listener gets a batch at once, and no more after it was removed", async () => {
  const { call } = serve([stream(OPENING, chunk(1, "a") + chunk(2, "b")), stream(done(3))]);
  const run = call();
  const heard: number[] = [];
  const forget = run.subscribe((batch) => {
    if (!batch.length) return;
    heard.push(batch.length);
    forget();
  });

  await run.result();

  expect(heard).toEqual([2]);
});

test("connections that each bring one event and are cut are further and further apart", async () => {
  const { call, page } = serve([stream(OPENING, chunk(1, 1)), ...[2, 3, 4].map((seq) => stream(chunk(seq, seq))), stream(done(5))]);

  await call().result();

  expect(page.waitsMs).toEqual([500, 1000, 2000, 4000]);
});

// A row of "What happens when" in the docs.
test("a stream that is cut cleanly and read on is never in trouble", async () => {
  const { call } = serve([stream(OPENING, chunk(1, "a")), stream(chunk(2, "b"), done(3))]);
  const run = call();
  const heard = new Set<string | undefined>();
  run.subscribe(() => heard.add(run.trouble));

  await run.result();

  expect([...heard]).toEqual([undefined]);
});

test("a cut whose next connection is not answered is in trouble as soon as polls are tried", async () => {
  const { call, page } = serve([stream(OPENING, chunk(1, "a")), never, never, never]);
  const run = call();

  const trouble = await new Promise((resolve) => run.subscribe(() => run.trouble && resolve(run.trouble)));

  expect(trouble).toBe("The connection was lost");
  expect(page.now()).toBe(1_000_000 + 500 + 3000);
  run.detach();
});

test("a listener hears why the connection waits", async () => {
  const { call } = serve([unreachable, unreachable, unreachable, stream(OPENING, done(1))]);
  const run = call();
  const heard = new Set<string>();
  run.subscribe(() => heard.add(`${run.connection} ${run.trouble ?? ""}`.trim()));

  await run.result();
  await Promise.resolve();

  expect([...heard]).toEqual([
    "waiting",
    "connecting",
    "waiting The server cannot be reached: Failed to fetch",
    "connecting The server cannot be reached: Failed to fetch",
    "open",
    "closed",
  ]);
});

// A row of "What happens when" in the docs.
test("stop cancels the run", async () => {
  const cancelled = { code: "CANCELLED", message: "Cancelled.", statusCode: 409 };
  const { call, asked } = serve([
    silent(OPENING, chunk(1, "a")),
    json(200, { id: "r1", status: "running" }),
    stream(event(2, "cancelled", cancelled)),
  ]);
  const run = call();
  for await (const _ of run) {
    await run.stop();
    break;
  }

  await expect(run.result()).rejects.toMatchObject({ code: "CANCELLED" });
  expect(asked[1]).toMatchObject({ method: "POST", path: "runs/r1/cancel" });
  expect(run.status).toBe("cancelled");
});

test("there is nothing to stop of a start that was refused", async () => {
  const { call, asked } = serve([refusal(422, { code: "VALIDATION_ERROR" })]);
  const run = call();
  await run.result().catch(() => undefined);

  await run.stop();

  expect(asked).toHaveLength(1);
});

test("a signal ends the reading and cancels nothing", async () => {
  const leaving = new AbortController();
  const { call, asked, page } = serve([silent(OPENING)]);
  const run = call({}, { signal: leaving.signal });
  while (!run.id) await Promise.resolve();

  leaving.abort();

  await expect(run.result()).rejects.toMatchObject({ name: "AbortError" });
  await expect(all(run)).rejects.toMatchObject({ name: "AbortError" });
  expect([asked.length, run.error, run.connection, page.isForgotten]).toEqual([1, undefined, "closed", true]);
});

test("a signal that has been given keeps a run from being started", async () => {
  const { call, asked } = serve([]);

  await expect(call({}, { signal: AbortSignal.abort() }).result()).rejects.toMatchObject({ name: "AbortError" });

  expect(asked).toEqual([]);
});

test("a failure that nobody asked about is not an unhandled rejection", async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  const { call } = serve([refusal(422, { code: "VALIDATION_ERROR" })]);
  const run = call();
  run.detach();

  await new Promise((resolve) => setTimeout(resolve, 20));

  process.off("unhandledRejection", note);
  expect([unhandled, run.connection]).toEqual([[], "closed"]);
});

// A row of "What happens when" in the docs.
test("a connection over which nothing comes is cut and resumed", async () => {
  const nothingNew = json(200, { status: "running", firstSeq: 1, retryAfterMs: 500, events: [] });
  const { call, asked, page } = serve([silent(OPENING), ...Array(4).fill(nothingNew), stream(done(1))]);

  await call().result();

  expect(asked[5]?.headers.get("Last-Event-ID")).toBe("r1.0");
  expect(page.now()).toBe(1_000_000 + 45_000 + 500);
});

// A row of "What happens when" in the docs.
test("a page that wakes up does not wait for a connection that was silent meanwhile", async () => {
  const { call, page } = serve([silent(OPENING), stream(done(1))]);
  const run = call();
  while (run.connection !== "open") await Promise.resolve();

  page.wake({ afterMs: 30_000 });
  await run.result();

  expect(page.now()).toBe(1_000_000 + 30_000 + 500);
});

// A row of "What happens when" in the docs.
test("a page that comes back to the network tries at once", async () => {
  const { call, page } = serve([unreachable, stream(OPENING, done(1))]);
  const run = call();
  while (run.connection !== "waiting") await Promise.resolve();

  page.wake({ isOnline: true });
  await run.result();

  expect(page.now()).toBe(1_000_000);
});

test("a page that wakes up still waits as long as the server has asked", async () => {
  const { call, page } = serve([json(503, {}, { "Retry-After": "60" }), stream(OPENING, done(1))]);
  const run = call();
  while (run.connection !== "waiting") await Promise.resolve();

  page.wake({ isOnline: true });
  await run.result();

  expect(page.now()).toBe(1_000_000 + 60_000);
});

test("to leave a run that has ended changes nothing", async () => {
  const { call } = serve([stream(OPENING, chunk(1, "a"), done(2, 7))]);
  const run = call();
  await run.result();

  run.detach();

  expect([await all(run), run.status, await run.result()]).toEqual([["a"], "completed", 7]);
});

test("what is never answered is given up in the time that was set", async () => {
  const { call } = serve(Array.from({ length: 20 }, () => unreachable), { giveUpMs: 10_000 });

  await expect(call().result()).rejects.toMatchObject({ code: "UNREACHABLE", statusCode: 0, retryable: true });
});

test("when a run has ended, nothing of it stays with the page", async () => {
  const { call, page } = serve([unreachable, stream(OPENING, chunk(1, "a")), stream(done(2))]);

  await call().result();
  await new Promise((resolve) => setTimeout(resolve, 5));

  expect(page.isForgotten).toBe(true);
});
