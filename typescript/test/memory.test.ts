/** How much memory a run holds, however much it sends. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { createClient, RunObserver } from "../src/index.js";
import { commandsOf } from "../src/binding.js";
import { chunk, OPENING } from "./support/script.js";
import { until } from "./support/until.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const COUNT = 1000;
const KB = 1000;
const MB = 1000 * KB;
const inUse = (): number => {
  collect();
  return process.memoryUsage().heapUsed;
};

/** A client whose runs send these chunks and then stay open. */
function clientOf(data: (n: number) => unknown) {
  const fetch = async (): Promise<Response> => {
    let seq = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (seq === COUNT) return new Promise(() => undefined);
        controller.enqueue(new TextEncoder().encode((seq ? "" : OPENING) + chunk(++seq, data(seq))));
        return undefined;
      },
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream", "Run-Id": "r1" } });
  };
  return createClient({ url: "http://test/api", fetch });
}
const row = (n: number) => ({ n, cells: String(n % 10).repeat(200 * KB) });
const text = (n: number) => ({ type: "text", text: String(n % 10).repeat(200 * KB) });


describe("of 1,000 chunks of 200 kB", () => {
  // A row of "What happens when" in the docs.
  test.each([["rows", row], ["texts", text]])("a hook that keeps one holds less than 10 MB, if they are %s", async (_, data) => {
    const observer = new RunObserver(clientOf(data)["count"]!, { keep: 1 });
    const leave = observer.subscribe(() => undefined);
    const before = inUse();

    void commandsOf(() => observer).execute({});
    await until(() => observer.snapshot().dropped === COUNT - 1);

    expect(inUse() - before).toBeLessThan(10 * MB);
    leave();
  });

  test("a hook that attaches to the run and keeps one holds less than 10 MB", async () => {
    const observer = new RunObserver(clientOf(text).runs, { keep: 1 }, "r1");
    const leave = observer.subscribe(() => undefined);
    const before = inUse();

    observer.resume();
    await until(() => observer.snapshot().dropped === COUNT - 1);

    expect(inUse() - before).toBeLessThan(10 * MB);
    leave();
  });

  // A row of "What happens when" in the docs.
  test("a hook shows the newest 4 MiB, unless it says how many to keep", async () => {
    const observer = new RunObserver(clientOf(row)["count"]!);
    const leave = observer.subscribe(() => undefined);
    const before = inUse();

    void commandsOf(() => observer).execute({});
    await until(() => (observer.snapshot().data as { n: number } | undefined)?.n === COUNT);

    expect(observer.snapshot()).toMatchObject({ chunks: { length: 20 }, dropped: COUNT - 20 });
    expect(inUse() - before).toBeLessThan(10 * MB);
    leave();
  });

  // A row of "What happens when" in the docs.
  test("a run keeps the newest 4 MiB for iterations that start late", async () => {
    const run = clientOf(row)["count"]!();
    const before = inUse();
    let seen = 0;

    for await (const _ of run) if (++seen === COUNT) break;

    expect(inUse() - before).toBeLessThan(10 * MB);
    const late: unknown[] = [];
    for await (const { n } of run as AsyncIterable<{ n: number }>) if (late.push(n) && n === COUNT) break;
    expect(late).toEqual(Array.from({ length: 20 }, (_, n) => COUNT - 19 + n));
  });
});

test("a hook has the whole text of a long run, if it keeps all", async () => {
  const observer = new RunObserver(clientOf(text)["count"]!, { keep: Infinity });
  const leave = observer.subscribe(() => undefined);

  void commandsOf(() => observer).execute({});
  await until(() => observer.snapshot().chunks.length === COUNT);

  expect(observer.snapshot().text.length).toBe(COUNT * 200 * KB);
  leave();
});

test("a hook that does not keep all has at least the newest two million characters of a long text", async () => {
  const observer = new RunObserver(clientOf(text)["count"]!);
  const leave = observer.subscribe(() => undefined);

  void commandsOf(() => observer).execute({});
  await until(() => observer.snapshot().dropped + observer.snapshot().chunks.length === COUNT);

  const { text: shown } = observer.snapshot();
  expect(shown.length).toBeGreaterThan(2 * MB);
  expect(shown.length).toBeLessThan(4.5 * MB);
  expect(shown.endsWith("9".repeat(200 * KB) + "0".repeat(200 * KB))).toBe(true);
  leave();
});
