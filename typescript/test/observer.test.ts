// @vitest-environment happy-dom
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ActionError, type AnyAsks, type ErrorOf } from "../src/index.js";
import { RunObserver, type StreamOptions } from "../src/observer.js";
import { memoryAction, MemoryRun, type Said } from "./support/memory.js";
import { paint, PICTURE_MS } from "./support/paint.js";

type Failure = ErrorOf<{ n?: number }, "NO_CREDIT">;
type Options = StreamOptions<number, string, Failure>;

const problem = (code: string) => ({
  code, message: code, statusCode: 409, retryable: false, fieldErrors: null, data: null, runId: "r1", errorId: null,
});
const done = (result = "end"): Said<number, string> => ({ type: "done", data: { result } });
const cancelled = (): Said<number, string> => ({ type: "cancelled", data: problem("CANCELLED") });
const chunkOf = (data: number): Said<number, string> => ({ type: "chunk", data });

/** An observer of an action of this process, somebody who listens, and what was heard. */
function observed(options: Options = {}) {
  const action = memoryAction<number, string, "NO_CREDIT">();
  const observer = new RunObserver<number, string, Failure, AnyAsks, unknown, typeof action>(action, options);
  const states: (typeof observer.initial)[] = [];
  const leave = observer.subscribe(() => states.push(observer.snapshot()));
  const execute = (n = 0) => observer.execute((source) => source({ n }));
  return { action, observer, states, leave, execute };
}

beforeEach(() => {
  vi.useFakeTimers();
  sessionStorage.clear();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("a state", () => {
  test("is idle, streaming and done, in that order, with all that came", async () => {
    const { action, observer, states, execute } = observed();

    const ended = execute();
    action.newest.open("r1");
    action.newest.chunk(1, 2);
    await paint();
    action.newest.say(done());
    await paint();

    expect(observer.initial.status).toBe("idle");
    expect(states.map((state) => state.status)).toEqual(["streaming", "streaming", "done"]);
    expect(observer.snapshot()).toMatchObject({ chunks: [1, 2], data: 2, result: "end", runId: "r1" });
    expect(await ended).toBe(observer.snapshot());
  });

  test("says what is the matter with the connection, until it is well again", async () => {
    const { action, observer, states, execute } = observed();
    void execute();
    action.newest.open("r1");
    await paint();
    const told = states.length;

    action.newest.lose("no server");
    action.newest.lose("no server");
    await paint();
    const lost = observer.snapshot();
    action.newest.heal();
    await paint();

    expect(lost).toMatchObject({ status: "streaming", trouble: "no server" });
    expect(observer.snapshot()).toMatchObject({ status: "streaming", trouble: undefined });
    expect(states.length - told).toBe(2);
  });

  test("has no trouble any more once its run has ended", async () => {
    const { action, observer, execute } = observed();
    void execute();
    action.newest.open("r1");
    action.newest.lose("no server");

    action.newest.refuse(new ActionError({ code: "NOT_FOUND" }));
    await paint();

    expect(observer.snapshot()).toMatchObject({ status: "error", trouble: undefined });
  });

  test("stays the same object while nothing happens", async () => {
    const { action, observer, execute } = observed();
    void execute();
    action.newest.chunk(1);
    await paint();
    const before = observer.snapshot();

    await paint(3);

    expect(observer.snapshot()).toBe(before);
  });

  test("is the same at the end however the events came in batches, and each chunk was called out once", async () => {
    const cuts = fc.array(fc.record({ size: fc.integer({ min: 1, max: 9 }), paints: fc.boolean() }));
    const ends = fc.constantFrom<Said<number, string>>(done(), cancelled(), { type: "error", data: problem("X") });

    await fc.assert(fc.asyncProperty(fc.integer({ min: 0, max: 40 }), ends, cuts, async (count, end, each) => {
      const heard: number[] = [];
      const { action, observer, execute, leave } = observed({ keep: 7, onChunk: (n) => heard.push(n) });
      const events = [...Array.from({ length: count }, (_, n) => chunkOf(n)), end];
      const ended = execute();
      action.newest.open("r1");
      for (const { size, paints } of each) {
        action.newest.say(...events.splice(0, size));
        if (paints) await paint();
      }
      action.newest.say(...events);
      await paint();

      const all = Array.from({ length: count }, (_, n) => n);
      expect(heard).toEqual(all);
      expect(observer.snapshot()).toMatchObject({
        chunks: all.slice(-7), dropped: Math.max(0, count - 7), data: all.at(-1), runId: "r1",
        status: end.type,
      });
      expect(await ended).toBe(observer.snapshot());
      leave();
    }));
  });

  test("shows a lost attempt's chunks no longer, and says that they do not count", async () => {
    const onRestarted = vi.fn();
    const { action, observer, execute } = observed({ onRestarted });
    void execute();
    action.newest.chunk(1, 2);

    action.newest.say({ type: "restarted", data: { attempt: 2 } }, chunkOf(1));
    await paint();

    expect(observer.snapshot()).toMatchObject({ status: "streaming", chunks: [1], dropped: 0 });
    expect(onRestarted).toHaveBeenCalledExactlyOnceWith(2, 0);
  });
});

describe("listeners", () => {
  test("are told once for a picture, however much came", async () => {
    const { action, states, execute } = observed();
    void execute();
    const before = states.length;

    for (let n = 0; n < 1000; n++) action.newest.chunk(n);
    await paint(10);

    expect(states.length - before).toBe(1);
    expect(states.at(-1)?.data).toBe(999);
  });

  test("are told by a timer where no picture is painted, as in a hidden page", async () => {
    vi.spyOn(globalThis, "requestAnimationFrame").mockReturnValue(7);
    const { action, states, execute } = observed();
    void execute();
    action.newest.chunk(1);
    await paint(5);
    action.newest.chunk(2);
    await paint(5);

    expect(states.map((state) => state.data)).toEqual([undefined, 1, 2]);
    vi.restoreAllMocks();
  });

  test("are told no more often than throttled, but of an end at once", async () => {
    const { action, states, execute } = observed({ throttleMs: 100 * PICTURE_MS });
    void execute();
    action.newest.chunk(1);
    await paint();
    for (let n = 2; n <= 50; n++) {
      action.newest.chunk(n);
      await paint();
    }
    const before = states.map((state) => state.data);

    action.newest.say(done());
    await paint();

    expect(before).toEqual([undefined, 1]);
    expect(states.at(-1)).toMatchObject({ status: "done", data: 50 });
  });

  test("are told of an end alone where the throttle has no end", async () => {
    const { action, states, execute } = observed({ throttleMs: Infinity });
    void execute();
    action.newest.open("r1");
    await paint();
    const before = states.length;

    for (let n = 0; n < 5; n++) {
      action.newest.chunk(n);
      await paint();
    }
    expect(states).toHaveLength(before);
    action.newest.say(done());
    await paint();

    expect(states.at(-1)).toMatchObject({ status: "done", chunks: [0, 1, 2, 3, 4] });
  });

  test("are told of the newest in the end, also when throttled", async () => {
    const { action, states, execute } = observed({ throttleMs: 10 * PICTURE_MS });
    void execute();
    action.newest.chunk(1);
    await paint();

    action.newest.chunk(2);
    action.newest.chunk(3);
    await paint(12);

    expect(states.map((state) => state.data)).toEqual([undefined, 1, 3]);
  });

  test("can be the same function twice", async () => {
    const { observer, execute, leave } = observed();
    const listener = vi.fn();
    const end = observer.subscribe(listener);
    observer.subscribe(listener);
    leave();

    end();
    void execute();

    expect(listener).toHaveBeenCalledTimes(1);
  });
});

describe("callbacks", () => {
  test("are the newest given", () => {
    const [old, newest] = [vi.fn(), vi.fn()];
    const { action, observer, execute } = observed({ onChunk: old });
    void execute();
    action.newest.chunk(1);

    observer.options = { onChunk: newest };
    action.newest.chunk(2);

    expect(old.mock.calls).toEqual([[1, 1]]);
    expect(newest.mock.calls).toEqual([[2, 2]]);
  });

  test.each([
    ["onDone", done("5"), "5"],
    ["onError", { type: "error", data: problem("NO_CREDIT") } as const, expect.objectContaining({ code: "NO_CREDIT" })],
    ["onCancelled", cancelled(), expect.objectContaining({ code: "CANCELLED" })],
  ] as const)("%s alone says how it ended", async (name, end, said) => {
    const callbacks = { onDone: vi.fn(), onError: vi.fn(), onCancelled: vi.fn() };
    const { action, execute } = observed(callbacks);
    void execute();

    action.newest.say(end);
    await paint();

    const calls = Object.entries(callbacks).flatMap(([key, { mock }]) => mock.calls.map((call) => [key, ...call]));
    expect(calls).toEqual([[name, said]]);
  });

  test("that throw end nothing, and the page gets the error", async () => {
    const uncaught = vi.fn();
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException").on("uncaughtException", uncaught);
    const onChunk = (n: number) => {
      if (n === 1) throw new Error("mine");
      heard.push(n);
    };
    const heard: number[] = [];
    const { action, observer, execute } = observed({ onChunk });
    void execute();

    action.newest.say(chunkOf(1), chunkOf(2), done());
    await paint();
    vi.useRealTimers();
    await new Promise((resolve) => setTimeout(resolve));
    process.removeAllListeners("uncaughtException");
    for (const other of others) process.on("uncaughtException", other);

    expect(heard).toEqual([2]);
    expect(observer.snapshot().status).toBe("done");
    expect(uncaught.mock.calls[0]?.[0]).toMatchObject({ message: "mine" });
  });

  test("can execute again, and get nothing more of the run before", () => {
    const heard: number[] = [];
    const { action, observer, execute } = observed({
      onChunk: (n) => {
        heard.push(n);
        if (n === 1) void execute();
      },
    });
    void execute();

    action.newest.say(chunkOf(1), chunkOf(2));
    action.newest.chunk(7);

    expect(heard).toEqual([1, 7]);
    expect(action.runs.length).toBe(2);
    observer.reset();
  });
});

describe("questions", () => {
  const question = (id: string) => ({ id, prompt: "Sure?", name: "bool", schema: {} });
  const asked = (id: string): Said<number, string> => ({ type: "question", data: question(id) });

  test("are shown while they are open, over a restart too, and told to the callbacks", async () => {
    const [onQuestion, onAnswer] = [vi.fn(), vi.fn()];
    const { action, observer, execute } = observed({ onQuestion, onAnswer });
    void execute();
    action.newest.open("r1");
    const answered = { id: "1", value: true, by: "ada" };

    action.newest.say(asked("1"), asked("2"), { type: "restarted", data: { attempt: 2, keep: 0 } });
    action.newest.say({ type: "answer", data: answered });
    await paint();

    expect(observer.snapshot().questions).toEqual([question("2")]);
    expect([onQuestion.mock.calls, onAnswer.mock.calls]).toEqual([[[question("1")], [question("2")]], [[answered]]]);
  });

  test("are none once the run has ended or was stopped, and stay those of a run that was left and is shown again", async () => {
    const ended = observed();
    const left = observed();
    for (const { action, execute } of [ended, left]) {
      void execute();
      action.newest.open("r1");
      action.newest.say(asked("1"));
      await paint();
    }

    ended.action.newest.say(done());
    await paint();
    left.leave();
    await vi.advanceTimersByTimeAsync(0);
    left.observer.subscribe(() => undefined);
    left.observer.resume();
    await paint();

    expect([ended, left].map(({ observer }) => observer.snapshot().questions.length)).toEqual([0, 1]);
  });

  test("can be answered only while a run is followed", async () => {
    const { action, observer, execute } = observed();
    const before = () => observer.run;
    expect(before).toThrow(expect.objectContaining({ code: "RUN_ENDED", statusCode: 410 }));
    void execute();

    await observer.run.answer("1", true);

    expect(action.newest.told).toEqual([["1", true]]);
  });
});

describe("an end without a last event", () => {
  test("is an error where the call was refused", async () => {
    const onError = vi.fn();
    const { action, observer, execute } = observed({ onError });
    const ended = execute();
    const error = new ActionError<"VALIDATION_ERROR">({ code: "VALIDATION_ERROR", statusCode: 422 });

    action.newest.refuse(error);
    await paint();

    expect(observer.snapshot()).toMatchObject({ status: "error", error, runId: undefined });
    expect((await ended).error).toBe(error);
    expect(onError).toHaveBeenCalledExactlyOnceWith(error);
  });

  test("keeps what was sent before the connection was lost for good", async () => {
    const { action, observer, execute } = observed();
    void execute();
    action.newest.open("r1");
    action.newest.chunk(1);

    action.newest.refuse(new ActionError({ code: "NOT_FOUND" }));
    await paint();

    expect(observer.snapshot()).toMatchObject({ status: "error", chunks: [1], error: { code: "NOT_FOUND" } });
  });
});

describe("execute during a run", () => {
  test("cancels that run and starts another", async () => {
    const { action, observer, execute } = observed();
    const first = execute(1);
    action.newest.open("r1");
    action.newest.chunk(1);

    void execute(2);
    action.newest.chunk(9);
    await paint();

    expect(action.runs[0]).toMatchObject({ stops: 1, isDetached: true, listeners: 0 });
    expect(await first).toMatchObject({ status: "cancelled", chunks: [1] });
    expect(observer.snapshot()).toMatchObject({ status: "streaming", chunks: [9] });
  });

  test("waits its turn when queued, whatever became of the run before", async () => {
    const { action, execute } = observed({ concurrent: "queue" });
    const ends = [execute(1), execute(2), execute(3)];

    action.newest.refuse(new ActionError({ code: "UNAVAILABLE" }));
    await paint();
    action.newest.say(chunkOf(2), done("second"));
    await paint();
    action.newest.say(done("third"));

    expect(action.inputs).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect((await Promise.all(ends)).map((state) => state.result)).toEqual([undefined, "second", "third"]);
  });

  test("does nothing when ignored, and resolves as the current run", async () => {
    const { action, execute } = observed({ concurrent: "ignore" });
    const ends = [execute(1), execute(2)];

    action.newest.say(done("first"));

    expect(action.inputs).toEqual([{ n: 1 }]);
    expect((await Promise.all(ends)).map((state) => state.result)).toEqual(["first", "first"]);
  });

  test("is begun no more once it waits and the run is stopped", async () => {
    const { action, observer, execute } = observed({ concurrent: "queue" });
    void execute(1);
    const second = execute(2);

    void observer.stop();
    action.newest.say(cancelled());
    await paint();

    expect(action.runs.length).toBe(1);
    expect(action.runs[0]?.stops).toBe(1);
    expect((await second).status).toBe("cancelled");
  });

  test("rejects where the call itself is wrong, and lets the next one begin", async () => {
    const { action, observer, execute } = observed({ concurrent: "queue" });
    void execute(1);
    const wrong = observer.execute(() => {
      throw new TypeError("no such input");
    });
    const next = execute(3);
    const refused = expect(wrong).rejects.toThrow("no such input");

    action.newest.say(done());
    await paint();
    action.newest.say(done("third"));

    await refused;
    expect((await next).result).toBe("third");
  });

  test("that is wrong cancels the current run, and that is shown", async () => {
    const { action, observer, execute } = observed();
    const first = execute();
    action.newest.open("r1");
    await paint();

    const wrong = observer.execute(() => {
      throw new TypeError("It cannot be sent.");
    });

    await expect(wrong).rejects.toThrow("It cannot be sent.");
    expect([(await first).status, observer.snapshot().status]).toEqual(["cancelled", "cancelled"]);
  });
});

describe("stop", () => {
  test("cancels the run, whose chunks stay", async () => {
    const { action, observer, execute } = observed();
    const ended = execute();
    action.newest.chunk(1);

    await observer.stop();
    action.newest.say(cancelled());
    await paint();

    expect(observer.snapshot()).toMatchObject({ status: "cancelled", chunks: [1], error: undefined });
    expect((await ended).status).toBe("cancelled");
  });

  test("does nothing where nothing runs", async () => {
    const { observer } = observed();

    await observer.stop();

    expect(observer.snapshot().status).toBe("idle");
  });
});

describe("reset", () => {
  test.each([["detach", 0], ["stop", 1]] as const)("goes back to idle at once, and leaves by %s", (onUnmount, stops) => {
    const { action, observer, execute } = observed({ onUnmount });
    void execute();
    action.newest.chunk(1);

    observer.reset();

    expect(observer.snapshot()).toBe(observer.initial);
    expect(action.newest).toMatchObject({ stops, listeners: 0 });
  });
});

describe("when the last listener has gone", () => {
  const runsLeft = async (options: Options, prepare: (run: MemoryRun<number, string, Failure>) => void) => {
    const made = observed(options);
    const ended = made.execute();
    prepare(made.action.newest);
    made.leave();
    await Promise.resolve();
    return { ...made, ended, run: made.action.newest };
  };

  test("the run is detached, and nothing holds it", async () => {
    const { run, ended } = await runsLeft({}, (each) => each.open("r1"));

    expect(run).toMatchObject({ stops: 0, isDetached: true, listeners: 0 });
    expect(vi.getTimerCount()).toBe(0);
    expect((await ended).status).toBe("streaming");
  });

  test("the run is stopped if that was chosen, and let go", async () => {
    const { run, ended } = await runsLeft({ onUnmount: "stop" }, (each) => each.open("r1"));
    await paint();

    expect(run).toMatchObject({ stops: 1, isDetached: true, listeners: 0 });
    expect(vi.getTimerCount()).toBe(0);
    expect((await ended).status).toBe("cancelled");
  });

  test("its memory is given back, though the observer is still there", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const observer = new RunObserver<number, string, ActionError>({ attach: () => new MemoryRun() }, { keep: 1 });
    const leftRun = (() => {
      const run = new MemoryRun<number, string>();
      const leave = observer.subscribe(() => undefined);
      void observer.execute(() => run);
      run.open("r1");
      run.chunk(1);
      leave();
      return new WeakRef(run);
    })();

    await vi.advanceTimersByTimeAsync(0);
    collect();

    expect(leftRun.deref()).toBeUndefined();
    expect(observer.snapshot().status).toBe("streaming");
  });

  test("no timer stays that would have painted", async () => {
    await runsLeft({ throttleMs: 5000 }, (each) => {
      each.open("r1");
      each.chunk(1);
      each.chunk(2);
    });

    expect(vi.getTimerCount()).toBe(0);
  });

  test("a call that no server has answered is let go when one has, and found again", async () => {
    const heard: number[] = [];
    const { run, observer, action } = await runsLeft({ persist: "k", onChunk: (n) => heard.push(n) }, () => undefined);
    const isHeld = !run.isDetached;

    run.open("r1");
    run.chunk(5);
    observer.subscribe(() => undefined);
    observer.resume();
    action.newest.catchUp();

    expect(isHeld).toBe(true);
    expect(run).toMatchObject({ isDetached: true, listeners: 0 });
    expect(sessionStorage.getItem("k")).toBe("r1");
    expect(action.attached).toEqual([["r1", undefined]]);
    expect(heard).toEqual([5]);
  });

  test("what waits is not begun", async () => {
    const { action, execute, leave } = observed({ concurrent: "queue" });
    void execute(1);
    const second = execute(2);
    action.newest.open("r1");

    leave();
    await Promise.resolve();

    expect((await second).status).toBe("cancelled");
    expect(action.runs.length).toBe(1);
  });

  test("nothing is left if another listens in the same moment, as in React's StrictMode", async () => {
    const { observer, action, execute, leave } = observed({ onUnmount: "stop" });
    void execute();
    action.newest.open("r1");

    leave();
    observer.subscribe(() => undefined);
    await Promise.resolve();

    expect(action.newest).toMatchObject({ stops: 0, isDetached: false, listeners: 1 });
  });

  test("a listener that comes back continues after what was seen", async () => {
    const heard: number[] = [];
    const { action, observer } = await runsLeft({ onChunk: (n) => heard.push(n) }, (each) => {
      each.open("r1");
      each.chunk(1, 2);
      each.sayLater(chunkOf(3));
    });

    observer.subscribe(() => undefined);
    observer.resume();
    action.newest.catchUp();
    action.newest.chunk(4);
    await paint();

    expect(action.attached).toEqual([["r1", "r1.2"]]);
    expect(observer.snapshot().chunks).toEqual([1, 2, 3, 4]);
    expect(heard).toEqual([1, 2, 3, 4]);
  });
});

describe("an id", () => {
  test("is followed from the start of its log, and shown as streaming before", async () => {
    const action = memoryAction<number, string>();
    const before = action();
    (before as MemoryRun<number, string>).open("r1");
    (before as MemoryRun<number, string>).chunk(1, 2);
    const observer = new RunObserver(action, {}, "r1");
    observer.subscribe(() => undefined);
    const { initial } = observer;

    observer.resume();
    action.newest.catchUp();
    await paint();

    expect(initial).toMatchObject({ status: "streaming", runId: "r1", chunks: [] });
    expect(observer.snapshot()).toMatchObject({ status: "streaming", runId: "r1", chunks: [1, 2] });
  });

  test("that is kept is followed by the next page, until it is reset", async () => {
    const first = observed({ persist: "k" });
    void first.execute();
    first.action.newest.open("r1");
    first.action.newest.chunk(1);

    const next = observed({ persist: "k" });
    next.observer.resume();
    next.action.newest.say(chunkOf(1), done());
    await paint();
    const kept = sessionStorage.getItem("k");
    next.observer.reset();

    expect(next.action.attached).toEqual([["r1", undefined]]);
    expect(next.states.at(-2)).toMatchObject({ status: "done", chunks: [1], runId: "r1" });
    expect([kept, sessionStorage.getItem("k")]).toEqual(["r1", null]);
  });

  test("that is kept gives way to the next run's", () => {
    const { action, execute } = observed({ persist: "k", onUnmount: "detach" });
    void execute();
    action.newest.open("r1");

    void execute();
    const between = sessionStorage.getItem("k");
    action.newest.open("r2");

    expect([between, sessionStorage.getItem("k")]).toEqual([null, "r2"]);
  });

  test.each(["NOT_FOUND", "GONE", "PARSE_ERROR", "FORBIDDEN"])("that is kept is forgotten without a word when it is %s", async (code) => {
    sessionStorage.setItem("k", "r1");
    const onError = vi.fn();
    const { observer, action } = observed({ persist: "k", onError });

    observer.resume();
    action.newest.refuse(new ActionError({ code }));
    await paint();

    expect(observer.snapshot().status).toBe("idle");
    expect(sessionStorage.getItem("k")).toBeNull();
    expect(onError).not.toHaveBeenCalled();
  });

  test("stays under the key that the observer was made with", () => {
    const { action, observer, execute } = observed({ persist: "a" });
    void execute();

    observer.options = { persist: "b" };
    action.newest.open("r1");

    expect({ ...sessionStorage }).toEqual({ a: "r1" });
  });

  test("that is kept and lost makes way for what was executed meanwhile", async () => {
    sessionStorage.setItem("k", "r1");
    const { observer, action, execute } = observed({ persist: "k", concurrent: "queue" });
    observer.resume();
    void execute(2);

    action.newest.refuse(new ActionError({ code: "NOT_FOUND" }));
    await paint();
    action.newest.open("r2");
    await paint();

    expect(action.inputs).toEqual([{ n: 2 }]);
    expect(observer.snapshot()).toMatchObject({ status: "streaming", runId: "r2" });
    expect(sessionStorage.getItem("k")).toBe("r2");
  });

  test("that is kept stays where the caller must sign in first", async () => {
    sessionStorage.setItem("k", "r1");
    const { observer, action } = observed({ persist: "k" });

    observer.resume();
    action.newest.refuse(new ActionError({ code: "UNAUTHORIZED" }));
    await paint();

    expect(observer.snapshot().status).toBe("error");
    expect(sessionStorage.getItem("k")).toBe("r1");
  });

  test("can be kept in another storage, or in none that works", () => {
    const refuse = () => {
      throw new DOMException("forbidden", "SecurityError");
    };
    const forbidden = { getItem: refuse, setItem: refuse, removeItem: refuse };
    const local = observed({ persist: { key: "k", storage: localStorage } });
    const none = observed({ persist: { key: "k", storage: forbidden } });

    for (const { execute, action, observer } of [local, none]) {
      observer.resume();
      void execute();
      action.newest.open("r1");
    }

    expect(localStorage.getItem("k")).toBe("r1");
    expect(none.observer.snapshot().status).toBe("streaming");
    localStorage.clear();
  });
});
