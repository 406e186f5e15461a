/** The React binding, in StrictMode, under React 18 and the newest, against a real server where one matters. */

import { useLayoutEffect } from "react";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type Action, createClient, type Progress, type Text } from "../src/index.js";
import { type StreamOptions, useRun, useStreamAction } from "../src/react.js";
import { memoryAction } from "./support/memory.js";
import { click, hydrate, mount } from "./support/react.js";
import { Server } from "./support/server.js";
import { until } from "./support/until.js";

interface Actions {
  readonly count: Action<{ to: number; pause?: number }, Text, number>;
  readonly fail: Action<{ after?: number }, Text, null, "OUT_OF_CREDIT">;
  readonly hang: Action<Record<never, never>, Progress, null>;
}

const server = new Server();
const client = () => createClient<Actions>({ url: server.url });
const numbers = () => memoryAction<number, null>();

interface Props {
  readonly action: ReturnType<typeof numbers>;
  readonly options?: StreamOptions<number, null>;
}
const useAction = ({ action, options }: Props) => useStreamAction(action, options);

beforeAll(() => server.start());
afterAll(() => server.stop());
afterEach(() => sessionStorage.clear());

describe("useStreamAction, against a server", () => {
  test("goes from idle over streaming to done, and has everything that came", async () => {
    const { count } = client();
    const hook = await mount(() => useStreamAction(count), null);

    const ended = await hook.current.execute({ to: 3 });
    await until(() => hook.current.status === "done");

    expect(hook.commits[0]).toMatchObject({ status: "idle", chunks: [], data: undefined, runId: undefined });
    expect(hook.current).toMatchObject({ text: "1 2 3 ", result: 3, data: { text: "3 " }, error: undefined });
    expect(hook.current.chunks.length).toBe(3);
    expect(ended).toMatchObject({ status: "done", result: 3, runId: hook.current.runId });
    hook.unmount();
  });

  test("stops the run on the server, and keeps what was sent", async () => {
    const { hang, runs } = client();
    const hook = await mount(() => useStreamAction(hang), null);
    void hook.current.execute();
    await until(() => hook.current.progress);

    await hook.current.stop();
    await until(() => hook.current.status === "cancelled");

    expect(hook.current).toMatchObject({ progress: { current: 1 }, error: undefined });
    expect((await runs.get(hook.current.runId!)).status).toBe("cancelled");
    hook.unmount();
  });

  test("has the error that the action raised, and what came before", async () => {
    const onError = vi.fn();
    const { fail } = client();
    const hook = await mount(() => useStreamAction(fail, { onError }), null);

    const { error } = await hook.current.execute({ after: 2 });
    await until(() => hook.current.status === "error");

    expect(error).toMatchObject({ code: "OUT_OF_CREDIT", statusCode: 402, data: { left: 0 } });
    expect(hook.current).toMatchObject({ error, text: "halfhalf" });
    expect(onError).toHaveBeenCalledExactlyOnceWith(error);
    hook.unmount();
  });

  test("has the error of a call that was refused, by field", async () => {
    const { count } = client();
    const hook = await mount(() => useStreamAction(count), null);

    await hook.current.execute({ to: "many" as unknown as number });
    await until(() => hook.current.status === "error");

    expect(hook.current.error).toMatchObject({ code: "VALIDATION_ERROR", statusCode: 422 });
    expect(Object.keys(hook.current.error?.fieldErrors ?? {})).toEqual(["to"]);
    hook.unmount();
  });

  test("says that the server is away, and no longer when it is back", async () => {
    const own = await new Server().start();
    const { hang } = createClient<Actions>({ url: own.url });
    const hook = await mount(() => useStreamAction(hang), null);
    void hook.current.execute();
    await until(() => hook.current.data);

    await own.kill();
    await until(() => hook.current.trouble);
    const away = hook.current;
    await own.start();
    await until(() => hook.current.trouble === undefined);

    expect(away).toMatchObject({ status: "streaming", data: { current: 1 } });
    expect(away.trouble).toMatch(/lost|reached/);
    hook.unmount();
    await own.stop();
  });

  // A row of "What happens when" in the docs.
  test("lets the run continue when it is unmounted", async () => {
    const { count, runs } = client();
    const hook = await mount(() => useStreamAction(count), null);
    void hook.current.execute({ to: 30, pause: 0.02 });
    await until(() => hook.current.data);
    const id = hook.current.runId!;

    hook.unmount();

    await until(async () => (await runs.get(id)).status === "completed");
  });

  // A row of "What happens when" in the docs.
  test("cancels the run when it is unmounted, if that was chosen", async () => {
    const { hang, runs } = client();
    const hook = await mount(() => useStreamAction(hang, { onUnmount: "stop" }), null);
    void hook.current.execute();
    await until(() => hook.current.data);
    const id = hook.current.runId!;

    hook.unmount();

    await until(async () => (await runs.get(id)).status === "cancelled");
  });

  // A row of "What happens when" in the docs.
  test("continues with the kept run on the next page, from its first chunk, and starts nothing", async () => {
    const { hang, runs } = client();
    const options = { persist: "hanging", onUnmount: "stop" } as const;
    const before = await mount(() => useStreamAction(hang, { ...options, onUnmount: "detach" }), null);
    void before.current.execute();
    await until(() => before.current.data);
    before.unmount();

    const hook = await mount(() => useStreamAction(hang, options), null);
    await until(() => hook.current.progress);
    const { runId, progress, status } = hook.current;
    await hook.current.stop();
    await until(() => hook.current.status === "cancelled");
    hook.current.reset();

    expect({ runId, progress, status }).toMatchObject({
      runId: before.current.runId, progress: { current: 1 }, status: "streaming",
    });
    expect((await runs.get(runId!)).status).toBe("cancelled");
    expect(sessionStorage.length).toBe(0);
    hook.unmount();
  });
});

describe("useStreamAction", () => {
  test("commits once for a picture, however much comes", async () => {
    let pictures = 0;
    const count = () => {
      pictures += 1;
      requestAnimationFrame(count);
    };
    count();
    const action = numbers();
    const hook = await mount(useAction, { action, options: { keep: 10 } });
    void hook.current.execute();
    await until(() => hook.current.status === "streaming");
    const [commits, painted] = [hook.commits.length, pictures];

    for (let turn = 0; turn < 50; turn++) {
      for (let n = 0; n < 100; n++) action.newest.chunk(turn * 100 + n);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    action.newest.say({ type: "done", data: {} });
    await until(() => hook.current.status === "done");

    expect(hook.commits.length - commits).toBeLessThanOrEqual(pictures - painted + 1);
    expect(hook.current).toMatchObject({ data: 4999, dropped: 4990 });
    hook.unmount();
  });

  test("gives the same object to every render in which nothing has changed", async () => {
    const props = { action: numbers() };
    const hook = await mount(useAction, props);
    const before = hook.current;

    hook.rerender({ ...props });
    await until(() => hook.commits.length > 2);

    expect(hook.current).toBe(before);
  });

  test("has the questions that are open, answers them, and sends messages", async () => {
    const props = { action: numbers() };
    const hook = await mount(useAction, props);
    const { execute, answer, send } = hook.current;
    void execute();
    props.action.newest.open("r1");
    const question = { id: "1", prompt: "Sure?", name: "bool", schema: {} };

    props.action.newest.say({ type: "question", data: question });
    await until(() => hook.current.questions.length === 1);
    await answer(hook.current.questions[0]!, true);
    await send("faster");
    props.action.newest.say({ type: "answer", data: { id: "1", value: true } });
    await until(() => hook.current.questions.length === 0);

    expect(props.action.newest.told).toEqual([[question, true], ["faster"]]);
    hook.unmount();
  });

  test("executes the action and calls the callbacks of the newest render", async () => {
    const [old, newest] = [numbers(), numbers()];
    const [unheard, heard] = [vi.fn(), vi.fn()];
    const hook = await mount(useAction, { action: old, options: { onChunk: unheard } });
    const { execute } = hook.current;
    hook.rerender({ action: newest, options: { onChunk: heard } });
    await until(() => hook.commits.length > 2);

    void execute({ n: 1 });
    newest.newest.chunk(7);

    expect(old.runs.length).toBe(0);
    expect(heard.mock.calls).toEqual([[7, 1]]);
    expect(unheard).not.toHaveBeenCalled();
    hook.unmount();
  });

  // A row of "What happens when" in the docs.
  test("shows and calls nothing of the action before, from the commit on in which it has another", async () => {
    const [count, tokens] = [numbers(), numbers()];
    const [ofCount, ofTokens] = [vi.fn(), vi.fn()];
    const listeners: number[] = [];
    const use = (props: Props & { readonly name: string }) => {
      useLayoutEffect(() => void (props.name === "tokens" && listeners.push(count.newest.listeners)));
      return { name: props.name, ...useAction(props) };
    };
    const hook = await mount(use, { name: "count", action: count, options: { onChunk: ofCount } });
    const { execute } = hook.current;
    const ended = execute();
    count.newest.open("r1");
    count.newest.chunk(1);
    await until(() => hook.current.data === 1);

    hook.rerender({ name: "tokens", action: tokens, options: { onChunk: ofTokens } });
    await until(() => hook.current.name === "tokens");
    count.newest.chunk(2);
    void execute();
    tokens.newest.open("r2");
    tokens.newest.chunk(3);
    await until(() => hook.current.data === 3);

    const shown = hook.commits.filter(({ name }) => name === "tokens").map(({ runId, data }) => `${runId} ${data}`);
    expect(new Set(shown)).toEqual(new Set(["undefined undefined", "r2 3"]));
    expect([ofCount.mock.calls, ofTokens.mock.calls]).toEqual([[[1, 1]], [[3, 1]]]);
    expect(new Set(listeners)).toEqual(new Set([0]));
    expect([count.newest, (await ended).status]).toMatchObject([{ stops: 0, isDetached: true }, "streaming"]);
    expect(hook.current.execute).toBe(execute);
    hook.unmount();
  });

  // A row of "What happens when" in the docs.
  test("keeps a run under the key that it began with, and shows what another key has, or nothing", async () => {
    const action = numbers();
    const use = (key: string) => ({ key, ...useAction({ action, options: { persist: { key, storage: sessionStorage } } }) });
    const hook = await mount<string, ReturnType<typeof use>>(use, "a");
    void hook.current.execute();
    action.newest.open("r1");
    action.newest.chunk(1);
    await until(() => hook.current.data === 1);

    hook.rerender("b");
    await until(() => hook.current.key === "b");
    const before = hook.current;
    void hook.current.execute();
    hook.rerender("a");
    await until(() => hook.current.runId === "r1");
    action.runs[1]!.open("r2");

    expect(before).toMatchObject({ status: "idle", runId: undefined, data: undefined });
    expect(hook.commits.filter(({ key, runId }) => runId && `${key} ${runId}` !== "a r1")).toEqual([]);
    expect(action.attached).toEqual([["r1", undefined]]);
    expect(action.runs.map(({ stops }) => stops)).toEqual([0, 0, 0]);
    expect({ ...sessionStorage }).toEqual({ a: "r1", b: "r2" });
    hook.unmount();
  });

  test("says what to write instead if a click passes its event as the input, and continues with its run", async () => {
    const action = numbers();
    const hook = await mount(useAction, { action, options: {} });
    void hook.current.execute();
    const clicked: Promise<unknown>[] = [];
    const wrong = hook.current.execute as unknown as (event: unknown) => Promise<unknown>;
    const button = await click((event) => clicked.push(wrong(event)));
    button.addEventListener("click", (event) => clicked.push(wrong(event)));
    button.click();

    expect(clicked).toHaveLength(2);
    for (const refused of clicked) await expect(refused).rejects.toThrow("The input is an event: write onClick={() => execute()}");
    expect(action.runs.map(({ stops }) => stops)).toEqual([0]);
    hook.unmount();
  });

  test("leaves its run when it is unmounted", async () => {
    const action = numbers();
    const hook = await mount(useAction, { action, options: {} });
    void hook.current.execute();
    action.newest.open("r1");
    action.newest.chunk(1);
    await until(() => hook.current.data === 1);

    hook.unmount();
    await new Promise((resolve) => setTimeout(resolve));

    expect(action.newest).toMatchObject({ listeners: 0, isDetached: true, stops: 0 });
  });

  test("is idle on a server, and there is nothing to complain of when the page is taken over", async () => {
    const action = numbers();
    sessionStorage.setItem("k", "r1");

    const { html, complaints, commits, unmount } = await hydrate(useAction, { action, options: { persist: "k" } });

    expect(html).toContain("idle");
    expect(complaints).toEqual([]);
    expect(commits.at(-1)).toMatchObject({ status: "streaming", runId: "r1" });
    unmount();
  });
});

describe("useRun", () => {
  test("shows a run that was started elsewhere, and can stop it", async () => {
    const { hang, runs } = client();
    const run = await hang.start({});
    const hook = await mount(() => useRun(runs, run.id), null);
    await until(() => hook.current.progress);

    await hook.current.stop();
    await until(() => hook.current.status === "cancelled");

    expect(hook.commits[0]).toMatchObject({ status: "streaming", runId: run.id });
    hook.unmount();
  });

  test("never shows one run under the id of another, and is idle without an id", async () => {
    const action = memoryAction<string>();
    const use = (id: string | undefined) => ({ id, ...useRun(action, id) });
    const hook = await mount<string | undefined, ReturnType<typeof use>>(use, "r1");
    action.newest.chunk("of r1");
    await until(() => hook.current.data === "of r1");

    hook.rerender("r2");
    await until(() => hook.current.id === "r2");
    action.newest.chunk("of r2");
    await until(() => hook.current.data === "of r2");
    hook.rerender(undefined);
    await until(() => hook.current.id === undefined);

    const shown = hook.commits.map(({ id, runId, data }) => `${id} ${runId} ${data}`);
    expect(new Set(shown)).toEqual(new Set([
      "r1 r1 undefined", "r1 r1 of r1", "r2 r2 undefined", "r2 r2 of r2", "undefined undefined undefined",
    ]));
    expect(action.attached).toEqual([["r1", undefined], ["r2", undefined]]);
    expect(action.runs.map((run) => [run.listeners, run.stops])).toEqual([[0, 0], [0, 0]]);
    hook.unmount();
  });

  // A row of "What happens when" in the docs.
  test("follows the source that it is given, and no longer the one before", async () => {
    const [one, other] = [memoryAction<string>(), memoryAction<string>()];
    const use = (source: typeof one) => ({ source, ...useRun(source, "r1") });
    const hook = await mount(use, one);
    one.newest.chunk("of one");
    await until(() => hook.current.data === "of one");

    hook.rerender(other);
    await until(() => hook.current.source === other);
    other.newest.chunk("of the other");
    await until(() => hook.current.data === "of the other");

    expect(hook.commits.filter(({ source, data }) => source === other && data === "of one")).toEqual([]);
    expect([one.newest.listeners, one.attached, other.attached]).toEqual([0, [["r1", undefined]], [["r1", undefined]]]);
    hook.unmount();
  });

  test("is streaming on a server, and there is nothing to complain of when the page is taken over", async () => {
    const action = memoryAction<string>();

    const { html, complaints, unmount } = await hydrate((id: string) => useRun(action, id), "r1");

    expect(html).toContain("streaming");
    expect(complaints).toEqual([]);
    unmount();
  });
});
