/** Who leaves an iteration leaves the run's connection, unless somebody else reads. */

import { expect, test, vi } from "vitest";
import "../src/lazy.js"; // loaded before: the time of the page does not wait for it
import { chunk, done, never, OPENING, serve, silent, stream } from "./support/script.js";

const first = silent(OPENING, chunk(1, "a"));
const rest = stream(chunk(2, "b"), done(3, "all"));

/** Wait without letting the page's time pass. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !condition(); turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(condition()).toBe(true);
}

// A row of "What happens when" in the docs.
test("a loop that is left closes the connection, and the run can be resumed from the cursor", async () => {
  const { call, asked } = serve([first, rest]);
  const run = call();
  for await (const _ of run) break;

  await vi.waitFor(() => expect(run.connection).toBe("idle"));
  expect(run.trouble).toBeUndefined();
  expect(asked).toHaveLength(1);

  expect(await run.result()).toBe("all");
  expect(asked[1]?.headers.get("Last-Event-ID")).toBe("r1.1");
});

test("return settles at once while next waits, which then says that there is no more", async () => {
  const { call } = serve([silent(OPENING)]);
  const run = call();
  const chunks = run[Symbol.asyncIterator]();
  const waiting = chunks.next();
  await until(() => run.connection === "open");

  expect(await chunks.return?.()).toEqual({ done: true, value: undefined });
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(await chunks.next()).toEqual({ done: true, value: undefined });
  await vi.waitFor(() => expect(run.connection).toBe("idle"));
});

// A row of "What happens when" in the docs.
test("a ReadableStream of a run releases it when it is cancelled", async () => {
  const { call } = serve([first]);
  const run = call();
  const from = (ReadableStream as unknown as { from(source: AsyncIterable<unknown>): ReadableStream }).from;
  const reader = from.call(ReadableStream, run).getReader();
  await reader.read();
  await reader.cancel();

  await vi.waitFor(() => expect(run.connection).toBe("idle"));
});

test("a listener that is taken away is the last to hold the connection", async () => {
  const { call } = serve([first]);
  const run = call();
  const unsubscribe = run.subscribe(() => undefined);
  for await (const _ of run) break;
  await Promise.resolve();
  expect(run.connection).toBe("open");

  unsubscribe();
  unsubscribe();

  await vi.waitFor(() => expect(run.connection).toBe("idle"));
});

test.each([
  ["another iteration", (run: AsyncIterable<unknown>) => void run[Symbol.asyncIterator]().next()],
  ["a wait for the result", (run: { result(): Promise<unknown> }) => void run.result().catch(() => undefined)],
])("a loop that is left closes nothing while there is %s", async (_, read) => {
  const { call } = serve([first]);
  const run = call();
  read(run as never);
  for await (const _ of run) break;
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();

  expect(run.connection).toBe("open");
});

test("a run that nobody has begun to read is followed anyway", async () => {
  const { call } = serve([silent(OPENING, chunk(1, "a"))]);
  const run = call();
  run.events();

  await until(() => run.cursor === "r1.1");
  expect(run.connection).toBe("open");
});

test("a loop that is left before the run is known waits for its id, and follows no longer", async () => {
  let answer: (() => void) | undefined;
  const late = (init: RequestInit) => new Promise<Response>((resolve) => (answer = () => resolve(silent(OPENING)(init) as Response)));
  const { call } = serve([late]);
  const run = call();
  const chunks = run[Symbol.asyncIterator]();
  void chunks.next();
  await until(() => answer !== undefined);
  await chunks.return?.();

  answer?.();

  await until(() => run.connection === "idle");
  expect(run.id).toBe("r1");
});

test("abandoned loops leave their places to the next run, which streams", async () => {
  const { call, asked } = serve([...Array(5).fill(first), stream(OPENING, done(1))], { maxStreams: 4, url: "http://leaving/" });
  for (let n = 0; n < 5; n++) {
    const run = call();
    for await (const _ of run) break;
    await until(() => run.connection === "idle");
  }

  await call().result();

  expect(asked.map(({ headers }) => headers.get("Accept"))).toEqual(Array(6).fill("text/event-stream"));
});

test("an iteration throws once what ended the run, and has no more then", async () => {
  const { call } = serve([never]);
  const run = call();
  const chunks = run[Symbol.asyncIterator]();
  const waiting = chunks.next();
  run.detach();

  await expect(waiting).rejects.toThrow("no longer followed");
  expect(await chunks.next()).toEqual({ done: true, value: undefined });
});

test("a run that is used is left at the end of its block, and not cancelled", async () => {
  const { call, asked } = serve([first]);
  const used = await (async () => {
    await using run = call();
    for await (const _ of run) break;
    return run;
  })();

  expect(used.connection).toBe("closed");
  expect(asked).toHaveLength(1);
});
