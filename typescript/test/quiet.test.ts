/** Streams that become silent: which of them are quiet, and which are dead. */

import { expect, test } from "vitest";
import { chunk, done, json, never, OPENING, type Scripted, serve, silent, stream, unreachable } from "./support/script.js";

const START = 1_000_000;
const NEWS = { status: "running", firstSeq: 1, retryAfterMs: 500, events: [{ seq: 1, type: "chunk", data: "a" }] };
const nothingNew = json(200, { ...NEWS, events: [] });

/** A stream that sends a piece whenever `speak` is called. */
function spoken(): { answer: Scripted; speak: (piece: string) => void } {
  let out!: ReadableStreamDefaultController;
  const speak = (piece: string): void => out.enqueue(new TextEncoder().encode(piece));
  const answer: Scripted = ({ signal }) => {
    const body = new ReadableStream({ start: (controller) => void (out = controller) });
    signal?.addEventListener("abort", () => out.error(signal.reason));
    speak(OPENING);
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  };
  return { answer, speak };
}

// A row of "What happens when" in the docs.
test.each([
  ["cannot be reached", unreachable, "The server cannot be reached: Failed to fetch"],
  ["has a proxy's answer", () => new Response("Bad gateway", { status: 502 }), "Not the server's answer: HTTP 502 text/plain;charset=UTF-8"],
])("a silent stream whose server %s is resumed within seconds, and the run says so at once", async (_, answer, trouble) => {
  const { call, asked, page } = serve([silent(OPENING, chunk(1, "a")), answer, answer, stream(done(2))]);
  const run = call();
  const seen: [trouble: string | undefined, afterMs: number][] = [];
  run.subscribe(() => run.trouble === seen.at(-1)?.[0] || seen.push([run.trouble, page.now() - START]));

  await run.result();

  expect(asked.map(({ path }) => path)).toEqual(["count", "runs/r1?after=r1.1", "runs/r1/events", "runs/r1/events"]);
  expect(seen[0]).toEqual([trouble, 4_000]);
  expect(page.now()).toBe(START + 4_000 + 500 + 1_000);
});

// A row of "What happens when" in the docs.
test("a check that is not answered is a lost connection, too", async () => {
  const { call, page } = serve([silent(OPENING), never, stream(done(1))]);
  const run = call();
  const troubles = new Set<string | undefined>();
  run.subscribe(() => troubles.add(run.trouble));

  await run.result();

  expect(troubles).toContain("The connection was lost: no answer in 4000 ms");
  expect(page.now()).toBe(START + 4_000 + 4_000 + 500);
});

// A row of "What happens when" in the docs.
test("a stream that does not bring what the log has is replaced at once, and every event comes once", async () => {
  const { call, asked, page } = serve([silent(OPENING), json(200, NEWS), stream(chunk(1, "a"), chunk(2, "b"), done(3))]);
  const run = call();
  const chunks: unknown[] = [];

  for await (const each of run) chunks.push(each);

  expect(chunks).toEqual(["a", "b"]);
  expect(asked[2]?.headers.get("Last-Event-ID")).toBe("r1.1");
  expect([run.trouble, page.now()]).toEqual([undefined, START + 4_000]);
});

test("a run whose end the stream does not bring has ended", async () => {
  const end = { id: "r1", status: "completed", seq: 1, firstSeq: 1, retryAfterMs: null, events: [{ seq: 1, type: "done", data: { result: 7 } }] };
  const { call, asked } = serve([silent(OPENING), json(200, end)]);

  expect(await call().result()).toBe(7);
  expect(asked.length).toBe(2);
});

// A row of "What happens when" in the docs.
test("a quiet stream stays, and is checked less often the longer it is quiet", async () => {
  const askedMs: number[] = [];
  const answers = [silent(OPENING), ...Array<Scripted>(4).fill(nothingNew), stream(done(1))];
  const { call, page } = serve(answers.map((answer): Scripted => (init) => (askedMs.push(page.now() - START), answer(init))));
  const run = call();

  await run.result();

  // 45 s without a keepalive is too long for any stream.
  expect(askedMs).toEqual([0, 4_000, 8_000, 16_000, 32_000, 45_500]);
});

test("a stream with keepalives is not checked again and again", async () => {
  const { answer, speak } = spoken();
  const { call, asked, page } = serve([answer, nothingNew, nothingNew]);
  const run = call();
  run.subscribe(() => undefined);
  const beat = (left: number): void => void page.after(15_000, () => (left ? (speak(": keepalive\n\n"), beat(left - 1)) : speak(done(1))));
  beat(20);

  await run.result();

  expect(asked.map(({ path }) => path)).toEqual(["count", "runs/r1?after=r1.0", "runs/r1?after=r1.0"]);
});

test("a stream that speaks while it is checked is not cut, whatever the check says", async () => {
  const { answer, speak } = spoken();
  const failing: Scripted = async () => {
    speak(chunk(1, "a"));
    await new Promise((resolve) => setImmediate(resolve));
    setImmediate(() => speak(done(2)));
    throw new TypeError("Failed to fetch");
  };
  const { call, asked } = serve([answer, failing]);
  const run = call();

  await run.result();

  expect([asked.length, run.text]).toEqual([2, "a"]);
});

test("a run that nobody follows any more is not checked, and nothing of it stays", async () => {
  const { call, asked, page } = serve([silent(OPENING)]);
  const run = call();
  while (run.connection !== "open") await Promise.resolve();

  run.detach();
  await new Promise((resolve) => setTimeout(resolve, 20));

  expect([asked.length, page.isForgotten]).toEqual([1, true]);
});
