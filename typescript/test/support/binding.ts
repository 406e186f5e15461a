/** What a binding promises whose fields are reactive where they are read; the test files hand in theirs. */

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type Action, createClient, type ErrorOf, type NoAsks, type Progress, type RunState, type RunSource, type StreamOptions, type Text } from "../../src/index.js";
import type { ActionCommands, RunCommands } from "../../src/binding.js";
import { memoryAction } from "./memory.js";
import { Server } from "./server.js";
import { until } from "./until.js";

interface Actions {
  readonly count: Action<{ to: number; pause?: number }, Text, number>;
  readonly fail: Action<{ after?: number }, Text, null, "OUT_OF_CREDIT">;
  readonly hang: Action<Record<never, never>, Progress, null>;
}

/** A value, or a function that reads it from reactive state. */
type Given<Value> = Value | (() => Value);

/** A binding, and the framework that it is of. */
export interface Binding {
  useStreamAction<Input, Chunk, Result, Errors = never, Asks = NoAsks, Message = never>(
    action: Given<Action<Input, Chunk, Result, Errors, Asks, Message>>,
    options?: Given<StreamOptions<Chunk, Result, ErrorOf<Input, Errors>, Asks>>,
  ): RunState<Chunk, Result, ErrorOf<Input, Errors>, Asks> & ActionCommands<Input, Chunk, Result, ErrorOf<Input, Errors>, Asks, Message>;
  useRun<Chunk, Result, Failure>(
    source: Given<RunSource<Chunk, Result, Failure>>,
    id: Given<string | undefined>,
  ): RunState<Chunk, Result, Failure> & RunCommands;
  mount<Value extends object>(use: () => Value): { made: Value; shown(): unknown; unmount(): void };
  /** Reactive state, of which effects of the framework hear. */
  state<Value>(value: Value): { value: Value };
  /** Run whenever something has changed that it reads, until the function that is returned is called. */
  effect(run: () => void): () => void;
  /** Let what is due be done. */
  settle(): void;
}

/** Describe what a binding promises. */
export function describeBinding({ useStreamAction, useRun, mount, state, effect, settle }: Binding): void {
  const server = new Server();
  const client = () => createClient<Actions>({ url: server.url });

  beforeAll(() => server.start());
  afterAll(() => server.stop());
  afterEach(() => sessionStorage.clear());

  describe("useStreamAction, against a server", () => {
    test("goes from idle to done, and shows everything that came", async () => {
      const { made, shown, unmount } = mount(() => useStreamAction(client().count));
      const before = [made.status, (shown() as { status: string }).status];

      const ended = await made.execute({ to: 3 });
      await until(() => made.status === "done");
      settle();

      expect(before).toEqual(["idle", "idle"]);
      expect([made.text, made.result, made.chunks.length]).toEqual(["1 2 3 ", 3, 3]);
      expect(ended).toMatchObject({ status: "done", result: 3, runId: made.runId });
      expect(shown()).toMatchObject({ status: "done", text: "1 2 3 " });
      unmount();
    });

    test("stops the run on the server, and keeps what was sent", async () => {
      const { hang, runs } = client();
      const { made, unmount } = mount(() => useStreamAction(hang));
      void made.execute();
      await until(() => made.progress);

      await made.stop();
      await until(() => made.status === "cancelled");

      expect([made.progress?.current, made.error]).toEqual([1, undefined]);
      expect((await runs.get(made.runId!)).status).toBe("cancelled");
      unmount();
    });

    test("has the error that the action raised", async () => {
      const onError = vi.fn();
      const { made, unmount } = mount(() => useStreamAction(client().fail, { onError }));

      const { error } = await made.execute({ after: 2 });
      await until(() => made.status === "error");

      expect(error).toMatchObject({ code: "OUT_OF_CREDIT", data: { left: 0 } });
      expect([made.error, made.text]).toEqual([error, "halfhalf"]);
      expect(onError).toHaveBeenCalledExactlyOnceWith(error);
      unmount();
    });

    test("lets the run continue when it is unmounted, and the next page finds it", async () => {
      const { hang, runs } = client();
      const before = mount(() => useStreamAction(hang, { persist: "hanging" }));
      void before.made.execute();
      await until(() => before.made.progress);
      before.unmount();

      const { made, unmount } = mount(() => useStreamAction(hang, { persist: "hanging" }));
      await until(() => made.progress);
      await made.stop();
      await until(() => made.status === "cancelled");
      const id = made.runId!;
      made.reset();

      expect((await runs.get(id)).status).toBe("cancelled");
      expect([made.status, sessionStorage.length]).toEqual(["idle", 0]);
      unmount();
    });

    test("cancels the run when it is unmounted, if that was chosen", async () => {
      const { hang, runs } = client();
      const { made, unmount } = mount(() => useStreamAction(hang, { onUnmount: "stop" }));
      void made.execute();
      await until(() => made.progress);
      const id = made.runId!;

      unmount();

      await until(async () => (await runs.get(id)).status === "cancelled");
    });
  });

  describe("useStreamAction", () => {
    test("changes once for a picture, however much comes", async () => {
      const action = memoryAction<number>();
      const { made, unmount } = mount(() => useStreamAction(action));
      let changes = 0;
      const end = effect(() => void (made.chunks && (changes += 1)));
      settle();
      const before = changes;
      void made.execute();

      for (let n = 0; n < 100; n++) action.newest.chunk(n);
      await until(() => made.data === 99);
      settle();

      expect(changes - before).toBeLessThanOrEqual(2);
      expect(made.chunks.length).toBe(100);
      end();
      unmount();
    });

    test("releases its run when it is unmounted, also where nothing was read", async () => {
      const action = memoryAction<number>();
      const hidden = mount(() => ({ toJSON: () => 0, run: useStreamAction(action) }));
      void hidden.made.run.execute();
      action.newest.open("r1");

      hidden.unmount();
      await until(() => action.newest.isDetached);

      expect(action.newest).toMatchObject({ listeners: 0, stops: 0 });
    });

    test("says what to write instead where a click hands its event over as the input", async () => {
      const action = memoryAction<number>();
      const { made, unmount } = mount(() => useStreamAction(action));

      await expect((made.execute as unknown as (event: Event) => Promise<unknown>)(new Event("click"))).rejects.toThrow("is an event");

      expect(action.runs).toEqual([]);
      unmount();
    });

    test("shows and calls nothing of the action before, from the moment on at which there is another", async () => {
      const [count, tokens] = [memoryAction<number>(), memoryAction<number>()];
      const [ofCount, ofTokens] = [vi.fn(), vi.fn()];
      const action = state(count);
      const onChunk = (chunk: number): void => void (action.value === count ? ofCount : ofTokens)(chunk);
      const { made, unmount } = mount(() => useStreamAction(() => action.value, { onChunk }));
      const ended = made.execute();
      count.newest.open("r1");
      count.newest.chunk(1);
      await until(() => made.data === 1);

      action.value = tokens;
      const shown = [made.status, made.data, made.runId];
      count.newest.chunk(2);
      void made.execute();
      tokens.newest.chunk(3);
      await until(() => made.data === 3);

      expect(shown).toEqual(["idle", undefined, undefined]);
      expect([ofCount.mock.calls, ofTokens.mock.calls]).toEqual([[[1]], [[3]]]);
      expect([count.newest, (await ended).status]).toMatchObject([{ stops: 0, isDetached: true, listeners: 0 }, "streaming"]);
      unmount();
    });

    test("keeps a run under the key that it began with, and shows what another key has, or nothing", async () => {
      const action = memoryAction<number>();
      const persist = state("a");
      const { made, unmount } = mount(() => useStreamAction(action, () => ({ persist: persist.value })));
      void made.execute();
      action.newest.open("r1");

      persist.value = "b";
      settle();
      const before = [made.status, made.runId];
      void made.execute();
      persist.value = "a";
      await until(() => made.runId === "r1");
      action.runs[1]!.open("r2");

      expect(before).toEqual(["idle", undefined]);
      expect(action.attached).toEqual([["r1", undefined]]);
      expect(action.runs.map(({ stops }) => stops)).toEqual([0, 0, 0]);
      expect({ ...sessionStorage }).toEqual({ a: "r1", b: "r2" });
      unmount();
    });

    test("has the questions that are open, answers them, and sends messages", async () => {
      const action = memoryAction<number>();
      const { made, unmount } = mount(() => useStreamAction(action));
      void made.execute();
      action.newest.open("r1");
      const question = { id: "1", prompt: "Sure?", name: "bool", schema: {} };

      action.newest.say({ type: "question", data: question });
      await until(() => made.questions.length === 1);
      await made.answer(made.questions[0]!, true);
      await made.send("faster");
      action.newest.say({ type: "answer", data: { id: "1", value: true } });
      await until(() => made.questions.length === 0);

      expect(action.newest.told).toEqual([[question, true], ["faster"]]);
      unmount();
    });

    test("takes the newest options, and starts over for none but `persist`", async () => {
      const action = memoryAction<number>();
      const concurrent = state<"replace" | "ignore">("replace");
      const { made, unmount } = mount(() => useStreamAction(action, () => ({ concurrent: concurrent.value, keep: 1 })));
      void made.execute();
      action.newest.chunk(1, 2);
      await until(() => made.data === 2);

      concurrent.value = "ignore";
      settle();
      void made.execute();

      expect([made.chunks, action.runs.length, action.newest.listeners]).toEqual([[2], 1, 1]);
      unmount();
    });
  });

  describe("useRun", () => {
    test("shows a run that was started elsewhere, and can stop it", async () => {
      const { hang, runs } = client();
      const run = await hang.start({});
      const { made, unmount } = mount(() => useRun(runs, run.id));
      await until(() => made.progress);

      await made.stop();

      await until(() => made.status === "cancelled");
      unmount();
    });

    test("never shows one run under the id of another, and is idle without an id", async () => {
      const action = memoryAction<string>();
      const id = state<string | undefined>(undefined);
      const shown = new Set<string>();
      const { made, unmount } = mount(() => useRun(action, () => id.value));
      const end = effect(() => void shown.add(`${id.value} ${made.runId} ${made.status} ${made.data}`));

      for (const each of ["r1", "r2"]) {
        id.value = each;
        await until(() => action.newest?.id === each);
        action.newest.chunk(`of ${each}`);
        await until(() => made.data === `of ${each}`);
        settle();
      }
      id.value = undefined;
      settle();
      await until(() => action.newest.isDetached);

      expect([...shown]).toEqual([
        "undefined undefined idle undefined", "r1 r1 streaming undefined", "r1 r1 streaming of r1", "r2 r2 streaming undefined",
        "r2 r2 streaming of r2",
      ]);
      expect(made.status).toBe("idle");
      expect(action.runs.map((run) => [run.listeners, run.stops])).toEqual([[0, 0], [0, 0]]);
      end();
      unmount();
    });
  });
}
