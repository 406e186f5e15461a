/** The Vue binding, against a real server where one matters. */

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { effectScope, nextTick, ref, toRaw, watchEffect } from "vue";
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

  test("lets the run go on when it is unmounted, and the next page finds it", async () => {
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

  test("follows nothing on a server", async () => {
    const action = memoryAction<string>();

    const { html, complaints, unmount } = await hydrate(() => useRun(action, "r1"));

    expect(html).toContain("streaming");
    expect(complaints).toEqual([]);
    expect(action.attached.length).toBe(1);
    unmount();
  });
});
