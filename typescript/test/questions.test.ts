/** Questions of a run, their answers, and messages to it. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Question, RunEvent } from "../src/index.js";
import { chunk, done, event, json, never, OPENING, refusal, type Scripted, serve, silent, stream, unreachable } from "./support/script.js";

type Said = Pick<RunEvent, "type" | "data">;

const question = (id: string, prompt = `${id}?`): Question => ({ id, prompt, name: "bool", schema: { type: "boolean" } });
const accepted: Scripted = json(200, { runId: "r1", number: 1 });
const frameOf = ({ type, data }: Said, n: number): string => (type === "chunk" ? chunk(n + 1, data) : event(n + 1, type, data));
const snapshot = (fields: object): Scripted => json(200, { id: "r1", status: "running", firstSeq: 1, retryAfterMs: 500, ...fields });

const ids = fc.constantFrom("1", "2", "3");
const said: fc.Arbitrary<Said> = fc.oneof(
  fc.tuple(ids, fc.string()).map(([id, prompt]) => ({ type: "question" as const, data: question(id, prompt) })),
  ids.map((id) => ({ type: "answer" as const, data: { id, value: true, by: null } })),
  fc.nat(20).map((keep) => ({ type: "restarted" as const, data: { attempt: 2, keep } })),
  fc.constant({ type: "chunk" as const, data: "x" }),
);

/** The questions that are open after a log, as an object keeps the order of its members. */
function openAfter(log: readonly Said[]): Question[] {
  const open: Record<string, Question> = {};
  for (const { type, data } of log as RunEvent[]) {
    if (type === "question") open[`#${data.id}`] = data;
    if (type === "answer") delete open[`#${data.id}`];
  }
  return Object.values(open);
}

describe("the questions of a run", () => {
  test("are those that are open, in the order of asking, over restarts and whether they come by a stream or by polls", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(said, { maxLength: 20 }), async (log) => {
        const events = log.map((one, n) => ({ ...one, seq: n + 1 }));
        const last = { seq: log.length + 1, type: "chunk", data: "last" };
        const streamed = serve([silent(OPENING, ...log.map(frameOf), chunk(last.seq, last.data))]).client.runs.attach("r1");
        const polled = serve([snapshot({ seq: last.seq, events: [...events, last], questions: openAfter(log) }), never], { transport: "polling" }).client.runs.attach("r1");

        for (const run of [streamed, polled]) {
          for await (const { seq } of run.events()) if (seq === last.seq) break;

          expect(run.questions).toEqual(openAfter(log));
        }
      }),
      { numRuns: 50 },
    );
  });

  test("are none once it has ended", async () => {
    const { call } = serve([stream(OPENING, event(1, "question", question("1")), done(2))]);
    const run = call();

    await run.result();

    expect(run.questions).toEqual([]);
  });

  test("include those from before its cursor, if it is polled", async () => {
    const answers = [snapshot({ seq: 7, events: [], questions: [question("1")] }), snapshot({ seq: 8, events: [{ seq: 8, type: "chunk", data: 1 }], questions: [question("1")] }), never];
    const { client } = serve(answers, { transport: "polling" });
    const run = client.runs.attach("r1", "r1.7");

    for await (const _ of run) break;

    expect(run.questions).toEqual([question("1")]);
  });

  test("are not those of a snapshot that is older than the events", async () => {
    const { client } = serve([snapshot({ seq: 1, events: [{ seq: 1, type: "question", data: question("1") }, { seq: 2, type: "answer", data: { id: "1" } }], questions: [question("1")] }), never], { transport: "polling" });
    const run = client.runs.attach("r1");

    for await (const { seq } of run.events()) if (seq === 2) break;

    expect(run.questions).toEqual([]);
  });
});

describe("an answer", () => {
  /** A run that is followed, and what is posted to it. */
  const followed = async (...answers: Scripted[]) => {
    const { client, asked } = serve([silent(OPENING, event(1, "question", question("q 1"))), ...answers]);
    const run = client.runs.attach("r1");
    await run.events()[Symbol.asyncIterator]().next();
    return { run, posts: () => asked.filter(({ method }) => method === "POST") };
  };

  test("is sent to its question, given by itself or by its id, as JSON", async () => {
    const { run, posts } = await followed(accepted, accepted, accepted);

    await run.answer(question("q 1"), { sure: true });
    await run.answer("q 1", null);
    await run.answer("q 1", false);

    expect(posts().map(({ path, body }) => [path, body])).toEqual([
      ["runs/r1/questions/q%201", '{"sure":true}'], ["runs/r1/questions/q%201", "null"], ["runs/r1/questions/q%201", "false"],
    ]);
    expect(posts()[0]?.headers.get("Content-Type")).toBe("application/json");
  });

  // A row of "What happens when" in the docs.
  test("is repeated under the same key if its own answer was lost, and another one has another key", async () => {
    const { run, posts } = await followed(unreachable, json(502, "busy"), accepted, accepted);

    await run.answer("1", true);
    await run.answer("1", true);

    const keys = posts().map(({ headers }) => headers.get("Idempotency-Key"));
    expect(keys).toEqual([keys[0], keys[0], keys[0], keys[3]]);
    expect(keys[3]).not.toBe(keys[0]);
  });

  test.each([
    [409, { code: "ALREADY_ANSWERED", statusCode: 409, data: { by: "ada", at: "2026-01-01T00:00:00Z" } }],
    [410, { code: "RUN_ENDED", statusCode: 410 }],
    [422, { code: "VALIDATION_ERROR", statusCode: 422, fieldErrors: { "": ["No boolean."] } }],
    [404, { code: "NOT_FOUND", statusCode: 404 }],
    [429, { code: "INBOX_FULL", statusCode: 429 }],
  ])("that is refused with %d rejects with the error, at once", async (status, error) => {
    const { run, posts } = await followed(refusal(status, error));

    await expect(run.answer("1", true)).rejects.toMatchObject(error);

    expect([posts().length, run.error]).toEqual([1, undefined]);
  });

  test("with a file is sent as a form", async () => {
    const { run, posts } = await followed(accepted);

    await run.answer("1", { scan: new File(["x"], "scan.png") });

    expect([...(posts()[0]?.body as FormData).keys()]).toEqual([":input", "0"]);
  });

  test("can be a file", async () => {
    const { run, posts } = await followed(accepted);

    await run.answer("1", new File(["x"], "scan.png"));

    const form = posts()[0]?.body as FormData;
    expect([form.get(":input"), (form.get("0") as File).name]).toEqual(['{"input":"scan.png","files":[""]}', "scan.png"]);
  });

  // A row of "What happens when" in the docs.
  test("outlives its page if it is small enough for that", async () => {
    const kept: (boolean | undefined)[] = [];
    const noting: Scripted = (init) => (kept.push(init.keepalive), accepted(init));
    const { run } = await followed(noting, noting);

    await run.answer("1", "short");
    await run.answer("1", "x".repeat(70_000));

    expect(kept).toEqual([true, false]);
  });
});

describe("a message", () => {
  test("is sent to the inbox of its run", async () => {
    const { client, asked } = serve([accepted]);
    const run = client.runs.attach("r1");
    run.detach();

    await run.send({ faster: true });

    expect(asked.at(-1)).toMatchObject({ method: "POST", path: "runs/r1/inbox", body: '{"faster":true}' });
  });

  test("waits for the id of a run that was just started, and is sent as it was when it was given", async () => {
    const { call, asked } = serve([unreachable, silent(OPENING), accepted]);
    const message = { text: "hello" };

    const sent = call().send(message);
    message.text = "changed";
    await sent;

    expect(asked.at(-1)).toMatchObject({ path: "runs/r1/inbox", body: '{"text":"hello"}' });
  });

  test("of a run that is refused, or never started, is rejected with why", async () => {
    const refused = serve([refusal(422, { code: "VALIDATION_ERROR", statusCode: 422 })]).call();
    const left = serve([never]).call();
    left.detach();

    await expect(refused.send("hello")).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
    await expect(left.send("hello")).rejects.toMatchObject({ name: "AbortError" });
  });

  test("to a run that has ended is refused by the server", async () => {
    const { call } = serve([stream(OPENING, done(1)), refusal(410, { code: "RUN_ENDED", statusCode: 410 })]);
    const run = call();
    await run.result();

    await expect(run.send("late")).rejects.toMatchObject({ code: "RUN_ENDED" });
  });
});
