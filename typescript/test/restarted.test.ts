/** What a run has over restarts from saved places: `restarted {"keep"}` takes back the chunks after that seq. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { type Append, readStreamableValue, type RunEvent, textOf, type Value } from "../src/index.js";
import { all } from "./support/events.js";
import { chunk, done, event, OPENING, serve, stream } from "./support/script.js";

type Chunk = string | Value | Append;
type Said = { readonly chunk: Chunk } | { readonly keep: number | undefined };

/** As JSON has it, which has no `-0`. */
const value = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown);
const said: fc.Arbitrary<Said> = fc.oneof(
  { weight: 3, arbitrary: fc.oneof(fc.string(), fc.record({ type: fc.constant("append" as const), text: fc.string() })).map((chunk) => ({ chunk })) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("value" as const), value }).map((chunk) => ({ chunk })) },
  { weight: 1, arbitrary: fc.option(fc.nat(20), { nil: undefined }).map((keep) => ({ keep })) },
);
const logs = fc.array(said, { maxLength: 20 });
const frameOf = (one: Said, n: number): string =>
  "chunk" in one ? chunk(n + 1, one.chunk) : event(n + 1, "restarted", { attempt: 2, keep: one.keep });

/** The chunks that count at the end of a log. */
function counted(log: readonly Said[]): Chunk[] {
  let found: { seq: number; chunk: Chunk }[] = [];
  log.forEach((one, n) => {
    if ("chunk" in one) found.push({ seq: n + 1, chunk: one.chunk });
    else found = found.filter(({ seq }) => seq <= (one.keep ?? 0));
  });
  return found.map(({ chunk }) => chunk);
}

/** The value at the end of a log, as Python would have it. */
const valueOf = (chunks: readonly Chunk[]): unknown =>
  chunks.reduce<unknown>((value, chunk) => {
    if (typeof chunk === "string") return value;
    return chunk.type === "value" ? chunk.value : (typeof value === "string" ? value : "") + chunk.text;
  }, undefined);

test("a run has the text and the chunks that count, over any restarts and however its log is cut into connections", async () => {
  await fc.assert(
    fc.asyncProperty(logs, fc.nat(20), async (log, cut) => {
      const frames = log.map(frameOf);
      const { call } = serve([stream(OPENING, ...frames.slice(0, cut)), stream(...frames.slice(cut), done(log.length + 1))]);
      const run = call();

      await run.result();

      const chunks = counted(log);
      expect([run.text, await all(run)]).toEqual([chunks.map(textOf).join(""), chunks]);
    }),
    { numRuns: 50 },
  );
});

test("a streamable value ends with what the chunks that count make of it", async () => {
  await fc.assert(
    fc.asyncProperty(logs, async (log) => {
      const { call } = serve([stream(OPENING, ...log.map(frameOf), done(log.length + 1))]);
      let last: unknown;

      for await (const value of readStreamableValue(call())) last = value;

      const expected = valueOf(counted(log));
      if (expected !== undefined) expect(last).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});

test("a streamable value goes back to its saved place, and on from there", async () => {
  const said: Said[] = [
    { chunk: { type: "value", value: "Dear" } }, { chunk: { type: "append", text: " reader" } }, { chunk: { type: "value", value: 7 } },
    { keep: 2 }, { chunk: { type: "append", text: "," } },
  ];
  const { call } = serve([stream(OPENING, ...said.map(frameOf), done(6))]);

  expect(await all(readStreamableValue(call()))).toEqual(["Dear", "Dear reader", 7, "Dear reader", "Dear reader,"]);
});

test("progress goes back to the newest that counts", async () => {
  const progress = (current: number): Chunk => ({ type: "progress", current }) as unknown as Chunk;
  const { client } = serve([stream(OPENING, ...[{ chunk: progress(1) }, { chunk: progress(2) }, { keep: 1 }].map(frameOf), done(4))]);
  const run = client.runs.attach("r1");

  await run.result();

  expect(run.progress).toMatchObject({ current: 1 });
});

test("an iteration that is behind does not get what was taken back, and events() has all", async () => {
  const frames = [chunk(1, "a"), chunk(2, "b"), chunk(3, "c"), event(4, "restarted", { attempt: 2, keep: 1 }), chunk(5, "d"), done(6)];
  const { call } = serve([stream(OPENING, ...frames)]);
  const run = call();
  const [chunks, events] = [run[Symbol.asyncIterator](), run.events()];
  const first = await chunks.next();
  await run.result();

  const later = [];
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) later.push(next.value);

  expect([first.value, ...later]).toEqual(["a", "d"]);
  expect((await all(events as AsyncIterable<RunEvent>)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
});
