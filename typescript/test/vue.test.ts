/** The Vue binding, against a real server where one matters. */

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { computed, effectScope, nextTick, ref, shallowRef, toRaw, watchEffect } from "vue";
import { type Action, createClient, type Progress, type Text } from "../src/index.js";
import { useRun, useStreamAction } from "../src/vue.js";
import { memoryAction } from "./support/memory.js";
import { Server } from "./support/server.js";
import { until } from "./support/until.js";
import { hydrate, mount } from "./support/vue.js";

interface Actions {
  readonly count: Action<{ to: number; pause?: number }, Text, number>;
  readonly fail: Action<{ after?: number }, Text, null, "OUT_OF_CREDIT">;
  readonly hang: Action<Record<never, never>, Progress, null>;
}

const server = new Server();
const client = () => createClient<Actions>({ url: server.url });

beforeAll(() => server.start());
afterAll(() => server.stop());
afterEach(() => sessionStorage.clear());

describe("useStreamAction, against a server", () => {
  test("goes from idle to done, and has everything that came", async () => {
    const hook = mount(() => useStreamAction(client().count));
    const before = hook.status.value;

    const ended = await hook.execute({ to: 3 });
    await until(() => hook.status.value === "done");

    expect(before).toBe("idle");
    expect([hook.text.value, hook.result.value, hook.chunks.value.length]).toEqual(["1 2 3 ", 3, 3]);
    expect(ended).toMatchObject({ status: "done", result: 3, runId: hook.runId.value });
    expect(hook.element.textContent).toContain('"1 2 3 "');
    hook.unmount();
  });

  test("stops the run on the server, and keeps what was sent", async () => {
    const { hang, runs } = client();
    const hook = mount(() => useStreamAction(hang));
    void hook.execute();
    await until(() => hook.progress.value);

    await hook.stop();
    await until(() => hook.status.value === "cancelled");

    expect([hook.progress.value?.current, hook.error.value]).toEqual([1, undefined]);
    expect((await runs.get(hook.runId.value!)).status).toBe("cancelled");
    hook.unmount();
  });

  test("has the error that the action raised", async () => {
    const onError = vi.fn();
    const hook = mount(() => useStreamAction(client().fail, { onError }));

    const { error } = await hook.execute({ after: 2 });
    await until(() => hook.status.value === "error");

    expect(error).toMatchObject({ code: "OUT_OF_CREDIT", data: { left: 0 } });
    expect([hook.error.value, hook.text.value]).toEqual([error, "halfhalf"]);
    expect(onError).toHaveBeenCalledExactlyOnceWith(error);
    hook.unmount();
  });

  test("lets the run continue when it is unmounted, and the next page finds it", async () => {
    const { hang, runs } = client();
    const before = mount(() => useStreamAction(hang, { persist: "hanging" }));
    void before.execute();
    await until(() => before.progress.value);
    before.unmount();

    const hook = mount(() => useStreamAction(hang, { persist: "hanging" }));
    await until(() => hook.progress.value);
    await hook.stop();
    await until(() => hook.status.value === "cancelled");
    hook.reset();

    expect(before.runId.value).toMatch(/^r/);
    expect((await runs.get(before.runId.value!)).status).toBe("cancelled");
    expect([hook.status.value, sessionStorage.length]).toEqual(["idle", 0]);
    hook.unmount();
  });

  // A row of "What happens when" in the docs.
  test("cancels the run when it is unmounted, if that was chosen", async () => {
    const { hang, runs } = client();
    const hook = mount(() => useStreamAction(hang, { onUnmount: "stop" }));
    void hook.execute();
    await until(() => hook.progress.value);

    hook.unmount();

    const id = hook.runId.value!;
    await until(async () => (await runs.get(id)).status === "cancelled");
  });
});

describe("useStreamAction", () => {
  test("changes once for a picture, and makes no proxies of what came", async () => {
    const action = memoryAction<{ n: number }>();
    const hook = mount(() => useStreamAction(action));
    let changes = 0;
    const stop = watchEffect(() => void (hook.chunks.value && (changes += 1)), { flush: "sync" });
    void hook.execute();
    const chunks = Array.from({ length: 100 }, (_, n) => ({ n }));

    for (const chunk of chunks) action.newest.chunk(chunk);
    await until(() => hook.data.value?.n === 99);

    expect(changes).toBe(2);
    expect(hook.data.value).toBe(toRaw(chunks[99]));
    stop();
    hook.unmount();
  });

  test("follows a run in a bare effect scope, and leaves it with the scope", async () => {
    const action = memoryAction<number>();
    const scope = effectScope();
    const hook = scope.run(() => useStreamAction(action))!;
    void hook.execute();
    action.newest.open("r1");

    scope.stop();
    await nextTick();

    expect(action.newest).toMatchObject({ listeners: 0, isDetached: true, stops: 0 });
  });

  // A row of "What happens when" in the docs.
  test("shows and calls nothing of the action before, from the moment on at which its ref has another", async () => {
    const [count, tokens] = [memoryAction<number>(), memoryAction<number>()];
    const [ofCount, ofTokens] = [vi.fn(), vi.fn()];
    const action = shallowRef(count);
    const onChunk = computed(() => (action.value === count ? ofCount : ofTokens));
    const hook = mount(() => useStreamAction(action, { onChunk }));
    const ended = hook.execute();
    count.newest.open("r1");
    count.newest.chunk(1);
    await until(() => hook.data.value === 1);

    action.value = tokens;
    const shown = [hook.status.value, hook.data.value, hook.runId.value];
    count.newest.chunk(2);
    void hook.execute();
    tokens.newest.chunk(3);
    await until(() => hook.data.value === 3);

    expect(shown).toEqual(["idle", undefined, undefined]);
    expect([ofCount.mock.calls, ofTokens.mock.calls]).toEqual([[[1, 1]], [[3, 1]]]);
    expect([count.newest, (await ended).status]).toMatchObject([{ stops: 0, isDetached: true, listeners: 0 }, "streaming"]);
    hook.unmount();
  });

  // A row of "What happens when" in the docs.
  test("keeps a run under the key that it began with, and shows what another key has, or nothing", async () => {
    const action = memoryAction<number>();
    const persist = ref("a");
    const hook = mount(() => useStreamAction(() => action, () => ({ persist: persist.value })));
    void hook.execute();
    action.newest.open("r1");

    persist.value = "b";
    const before = [hook.status.value, hook.runId.value];
    void hook.execute();
    persist.value = "a";
    await until(() => hook.runId.value === "r1");
    action.runs[1]!.open("r2");

    expect(before).toEqual(["idle", undefined]);
    expect(action.attached).toEqual([["r1", undefined]]);
    expect(action.runs.map(({ stops }) => stops)).toEqual([0, 0, 0]);
    expect({ ...sessionStorage }).toEqual({ a: "r1", b: "r2" });
    hook.unmount();
  });

  test("follows nothing that is the half of a change", async () => {
    const [one, other] = [memoryAction<number>(), memoryAction<number>()];
    Object.assign(sessionStorage, { a: "r1", b: "r2" });
    const [action, persist] = [shallowRef(one), ref("a")];
    const hook = mount(() => useStreamAction(action, { persist }));
    await nextTick();

    action.value = other;
    persist.value = "b";
    await until(() => hook.runId.value === "r2");

    expect([one.attached, other.attached]).toEqual([[["r1", undefined]], [["r2", undefined]]]);
    hook.unmount();
  });

  test("has the questions that are open, answers them, and sends messages", async () => {
    const action = memoryAction<number>();
    const hook = mount(() => useStreamAction(action));
    void hook.execute();
    action.newest.open("r1");
    const question = { id: "1", prompt: "Sure?", name: "bool", schema: {} };

    action.newest.say({ type: "question", data: question });
    await until(() => hook.questions.value.length === 1);
    await hook.answer("1", true);
    await hook.send("faster");
    action.newest.say({ type: "answer", data: { id: "1", value: true } });
    await until(() => hook.questions.value.length === 0);

    expect(action.newest.told).toEqual([["1", true], ["faster"]]);
    hook.unmount();
  });

  test("takes each option from a ref, and starts over for none but `persist`", async () => {
    const action = memoryAction<number>();
    const concurrent = ref<"replace" | "ignore">("replace");
    const hook = mount(() => useStreamAction(action, { concurrent, keep: ref(1) }));
    void hook.execute();
    action.newest.chunk(1, 2);
    await until(() => hook.data.value === 2);

    concurrent.value = "ignore";
    void hook.execute();

    expect([hook.chunks.value, action.runs.length, action.newest.listeners]).toEqual([[2], 1, 1]);
    hook.unmount();
  });

  test("is idle on a server, and there is nothing to warn of when the page is taken over", async () => {
    const action = memoryAction<number>();
    sessionStorage.setItem("k", "r1");

    const { html, complaints, status, runId, unmount } = await hydrate(() => useStreamAction(action, { persist: "k" }));

    expect(html).toContain("idle");
    expect(complaints).toEqual([]);
    expect([status.value, runId.value]).toEqual(["streaming", "r1"]);
    expect(action.runs.length).toBe(1);
    unmount();
  });
});

describe("useRun", () => {
  test("shows a run that was started elsewhere, and can stop it", async () => {
    const { hang, runs } = client();
    const run = await hang.start({});
    const hook = mount(() => useRun(runs, run.id));
    await until(() => hook.progress.value);

    await hook.stop();

    await until(() => hook.status.value === "cancelled");
    hook.unmount();
  });

  test("never shows one run under the id of another, and is idle without an id", async () => {
    const action = memoryAction<string>();
    const id = ref<string>();
    const shown: string[] = [];
    const hook = mount(() => useRun(action, id));
    const watching = watchEffect(() => shown.push(`${hook.runId.value} ${hook.status.value} ${hook.data.value}`), { flush: "post" });
    await nextTick();

    for (const each of ["r1", "r2"]) {
      id.value = each;
      await nextTick();
      action.newest.chunk(`of ${each}`);
      await until(() => hook.data.value === `of ${each}`);
      await nextTick();
    }
    id.value = undefined;
    await nextTick();

    expect(shown).toEqual([
      "undefined idle undefined", "r1 streaming undefined", "r1 streaming of r1", "r2 streaming undefined",
      "r2 streaming of r2", "undefined idle undefined",
    ]);
    expect(action.runs.map((run) => [run.listeners, run.stops])).toEqual([[0, 0], [0, 0]]);
    watching();
    hook.unmount();
  });

  // A row of "What happens when" in the docs.
  test("follows the source that its ref has, and no longer the one before", async () => {
    const [one, other] = [memoryAction<string>(), memoryAction<string>()];
    const source = shallowRef(one);
    const hook = mount(() => useRun(source, "r1"));
    await nextTick();
    one.newest.chunk("of one");
    await until(() => hook.data.value === "of one");

    source.value = other;
    const before = hook.data.value;
    await nextTick();
    other.newest.chunk("of the other");
    await until(() => hook.data.value === "of the other");

    expect(before).toBeUndefined();
    expect([one.newest.listeners, one.attached, other.attached]).toEqual([0, [["r1", undefined]], [["r1", undefined]]]);
    hook.unmount();
  });

  test("follows nothing on a server", async () => {
    const action = memoryAction<string>();

    const { html, complaints, unmount } = await hydrate(() => useRun(action, "r1"));

    expect(html).toContain("streaming");
    expect(complaints).toEqual([]);
    expect(action.attached.length).toBe(1);
    unmount();
  });
});
