/** What a client does against a real server, undisturbed. */

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Action, NoAsks, Progress, Run, Text } from "../src/index.js";
import { createClient, readStreamableValue } from "../src/index.js";
import { all } from "./support/events.js";
import { Server } from "./support/server.js";

interface Actions {
  count: Action<{ to: number; pause?: number; name?: string }, Text, number>;
  started: Action<{ name: string }, never, number>;
  fail: Action<{ after?: number }, Text, null, "OUT_OF_CREDIT">;
  hang: Action<Record<string, never>, Progress, null>;
  crowded: Action<Record<string, never>, never, number>;
  draft: Action<Record<string, never>, unknown, string>;
  publish: Action<{ plan: string }, Text, boolean, never, { Decision: { publish: boolean } }, { tone: "warm" | "sober" }>;
  listen: Action<Record<string, never>, Text, null, never, NoAsks, { tone: "warm" | "sober" }>;
  load: Action<{ file: File; more?: File[] }, Progress, Record<string, number>>;
  ticks: Action<{ to?: number }, number, null>;
}

const server = new Server();
beforeAll(() => server.start());
afterAll(() => server.stop());

const client = (token = "kate"): ReturnType<typeof createClient<Actions>> => createClient<Actions>({ url: server.url, token });

test("a run is an iterable of its chunks and gathers text and result", async () => {
  const run = client().count({ to: 3 });

  const chunks = await all(run);

  expect(chunks).toEqual(["1 ", "2 ", "3 "].map((text) => ({ type: "text", text })));
  expect([run.text, run.status, await run.result(), run.cursor]).toEqual(["1 2 3 ", "completed", 3, `${run.id}.4`]);
});

test("an action that does not stream has a result", async () => {
  expect(await client().started({ name: "nobody" }).result()).toBe(0);
});

test("a declared error reaches the caller with everything that was said", async () => {
  const run = client().fail();

  await expect(run.result()).rejects.toMatchObject({ code: "OUT_OF_CREDIT", statusCode: 402, data: { left: 0 } });

  expect([run.status, run.text, run.error?.runId]).toEqual(["failed", "half", run.id]);
});

test("an error in front of the first event has a run that failed", async () => {
  const run = client().fail({ after: 0 });

  await expect(run.result()).rejects.toMatchObject({ code: "OUT_OF_CREDIT", statusCode: 402 });

  expect([run.status, typeof run.id]).toEqual(["failed", "string"]);
});

test("input that does not fit is refused field by field", async () => {
  const run = client().count({ to: "many" as unknown as number });

  await expect(run.result()).rejects.toMatchObject({ code: "VALIDATION_ERROR", fieldErrors: { to: [expect.any(String)] } });

  expect([run.status, run.id]).toEqual([undefined, undefined]);
});

// A row of "What happens when" in the docs.
test("stop cancels the run, which keeps what it had sent", async () => {
  const run = client().hang();
  for await (const _ of run) break;

  await run.stop();

  await expect(run.result()).rejects.toMatchObject({ code: "CANCELLED", data: { reason: "requested" } });
  expect([run.status, run.progress?.percent]).toEqual(["cancelled", 25]);
});

test("detach leaves the run going, and it can be attached to again", async () => {
  const first = client().count({ to: 20, pause: 0.02 });
  for await (const _ of first) break;
  first.detach();

  const second = client().count.attach(first.id ?? "");

  expect(await second.result()).toBe(20);
  expect(first.connection).toBe("closed");
  expect(second.text.split(" ")).toHaveLength(21);
});

test("attach after a cursor brings what followed", async () => {
  const first = client().count({ to: 4 });
  await first.result();

  const second = client().runs.attach(first.id ?? "", `${first.id}.2`);

  expect((await all(second.events())).map(({ seq }) => seq)).toEqual([3, 4, 5]);
});

test("a run without further events still has its outcome", async () => {
  const first = client().count({ to: 2 });
  await first.result();

  expect(await client().runs.attach(first.id ?? "", first.cursor).result()).toBe(2);
});

test("a run that was started in two phases continues without a reader", async () => {
  const run = await client().count.start({ to: 3 });

  let snapshot = await client().runs.get(run.id ?? "");
  while (snapshot.status !== "completed") snapshot = await client().runs.get(run.id ?? "");

  expect([snapshot.detached, snapshot.result, run.connection]).toEqual([true, 3, "idle"]);
  expect(await run.result()).toBe(3);
});

test("the same key starts one run", async () => {
  const idempotencyKey = "a key that nobody else has";

  const runs = [1, 2, 3].map(() => client().count({ to: 2, name: "keyed" }, { idempotencyKey }));
  await Promise.all(runs.map((run) => run.result()));

  expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
  expect(await client().started({ name: "keyed" }).result()).toBe(1);
});

test("a webhook of the call's own is refused with an error of its own where nobody is allowed to name one", async () => {
  const { count } = client();
  const refused = { code: "FORBIDDEN", message: "You are not allowed to have a webhook sent to this URL." };

  await expect(count({ to: 1 }, { webhook: "https://a.example/hook" }).result()).rejects.toMatchObject(refused);
  await expect(count.start({ to: 1 }, { webhook: "https://a.example/hook" })).rejects.toMatchObject(refused);
});

test("polls bring the same events as a stream", async () => {
  const streamed = client().count({ to: 5 });
  await streamed.result();

  const polled = client().count.attach(streamed.id ?? "", undefined, { transport: "polling" });

  expect(await all(polled.events())).toEqual(await all(streamed.events()));
  expect(await client().count({ to: 2 }, { transport: "polling" }).result()).toBe(2);
});

test("files are uploaded, and their progress comes back", async () => {
  const big = new File([new Uint8Array(3_000_000)], "big.bin");
  const small = new File(["a,b"], "small.csv");

  const run = client().load({ file: big, more: [small] });
  const chunks = await all(run);

  expect(await run.result()).toEqual({ "big.bin": 3_000_000, "small.csv": 3 });
  expect(chunks.map(({ percent }) => percent)).toEqual([50, 100]);
});

test("a streamable value is read value by value", async () => {
  const run = client().draft();

  expect(await all(readStreamableValue(run))).toEqual(["Dear", "Dear reader", "Dear reader,"]);
  expect(await run.result()).toBe("Dear reader,");
});

test("a feed is called as any other action", async () => {
  const { ticks } = client();

  expect([await all(ticks({ to: 3 })), await all(ticks())]).toEqual([[1, 2, 3], [1, 2]]);
});

test("a refusal for now is waited out, as long as it says", async () => {
  const run = client().crowded();
  const troubles = new Set<string | undefined>();
  run.subscribe(() => troubles.add(run.trouble));

  expect(await run.result()).toBe(2);
  expect([...troubles]).toContain("Not yet.");
});

test("an expired token is requested again, for a start and for a stream that was cut", async () => {
  const tokens = ["expired", "kate"];
  const fresh = createClient<Actions>({ url: server.url, token: ({ isRefused }) => (isRefused ? tokens.pop() : tokens[0]) });

  expect(await fresh.count({ to: 1 }).result()).toBe(1);
});

test("runs are listed for their owner, page by page, and forgotten", async () => {
  const mine = client("lister");
  for (let n = 0; n < 3; n++) await mine.count({ to: 1 }).result();

  const first = await mine.runs.list({ limit: 2 });
  const second = await mine.runs.list({ limit: 2, before: first.next ?? "" });
  await mine.runs.delete(second[0]?.id ?? "");

  expect([first.length, second.length, second.next]).toEqual([2, 1, null]);
  await expect(mine.runs.get(second[0]?.id ?? "")).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("another's run is refused, and stays as it is", async () => {
  const run = client("kate").hang();
  for await (const _ of run) break;

  const theirs = client("eve").runs.attach(run.id ?? "");

  await expect(theirs.result()).rejects.toMatchObject({ code: "FORBIDDEN" });
  expect([theirs.status, (await client().runs.get(run.id ?? "")).status]).toEqual([undefined, "running"]);
  await run.stop();
});

test("a message is accepted for a run in progress, and what does not fit is refused with why", async () => {
  const run = client().listen();

  await run.send({ tone: "warm" });
  await expect(run.send({ tone: "cold" as "warm" })).rejects.toMatchObject({ code: "VALIDATION_ERROR", statusCode: 422, fieldErrors: { tone: [expect.any(String)] } });
  await expect((run as Run).answer("7", true)).rejects.toMatchObject({ code: "NOT_FOUND", statusCode: 404 });
  await expect(client("eve").listen.attach(run.id!).send({ tone: "sober" })).rejects.toMatchObject({ code: "FORBIDDEN", statusCode: 403 });
  await run.stop();
  await run.result().catch(() => undefined);

  await expect(run.send({ tone: "sober" })).rejects.toMatchObject({ code: "RUN_ENDED", statusCode: 410 });
});

test("an action without an inbox takes no messages", async () => {
  const run = client().hang();

  await expect((run as Run).send("hello")).rejects.toMatchObject({ code: "NOT_FOUND", message: expect.stringContaining("inbox=") });

  await run.stop();
});

test.each(["auto", "polling"] as const)("a question is seen and answered by a client that follows by %s, and the first answer counts", async (transport) => {
  const { publish } = createClient<Actions>({ url: server.url, token: "kate", transport });
  const run = publish({ plan: "a" });
  const seen: string[] = [];

  await run.send({ tone: "warm" });
  for await (const event of run.events()) {
    seen.push(event.type);
    if (event.type !== "question") continue;
    expect(run.questions).toEqual([event.data]);
    expect(event.data).toMatchObject({ id: "1", prompt: "Publish a?", name: "Decision", detail: ["a"] });
    await expect(run.answer("1", {} as { publish: boolean })).rejects.toMatchObject({ code: "VALIDATION_ERROR", fieldErrors: { publish: [expect.any(String)] } });
    await run.answer(event.data, { publish: true });
    await expect(run.answer(event.data, { publish: false })).rejects.toMatchObject({ code: expect.stringMatching("ALREADY_ANSWERED|RUN_ENDED") });
  }

  expect(seen).toEqual(["chunk", "question", "answer", "chunk", "done"]);
  expect([run.text, run.questions, await run.result()]).toEqual(["warm decided", [], true]);
});
