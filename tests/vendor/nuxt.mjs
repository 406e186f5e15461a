// The composables of nuxt-actions, unmodified, on a page of Nuxt reduced to what they use.

import { registerHooks } from "node:module";
import { effectScope, nextTick, watch } from "vue";

const page = new URL("nuxtapp.mjs", import.meta.url).href;
registerHooks({
  resolve: (name, context, next) => (name === "#app" ? { url: page, shortCircuit: true } : next(name, context)),
});
globalThis.document ??= { addEventListener() {}, removeEventListener() {} };

const composables = "./node_modules/nuxt-actions/dist/runtime/composables";
const load = async (name) => (await import(`${composables}/${name}.js`))[name];

export async function cases(url) {
  const { openPage } = await import(page);
  openPage(url);
  const [useStreamAction, useAction, useOptimisticAction, useInfiniteActionQuery, useActionQuery, useActions, useFormAction, useStreamActionQuery, prefetchAction] =
    await Promise.all(
      ["useStreamAction", "useAction", "useOptimisticAction", "useInfiniteActionQuery", "useActionQuery", "useActions", "useFormAction", "useStreamActionQuery", "prefetchAction"].map(load),
    );
  const action = (path, method = "POST") => ({ __actionPath: path, __actionMethod: method });
  const inScope = (make) => effectScope(true).run(make);

  // What a component that shows a stream sees, once it has ended.
  async function streamed(target, input, options = {}) {
    const heard = { chunks: [], done: 0, errors: [] };
    const stream = inScope(() =>
      useStreamAction(target, {
        ...options,
        onChunk: (chunk) => heard.chunks.push(chunk),
        onDone: () => heard.done++,
        onError: (error) => heard.errors.push(error.code),
      }),
    );
    await stream.execute(input);
    return { ...heard, status: stream.status.value, error: stream.error.value, data: stream.data.value };
  }

  const untilFirst = (stream) => new Promise((resolve) => watch(stream.data, resolve, { once: true, flush: "sync" }));

  return {
    stream: () => streamed(action("count"), { upto: 3 }),
    streamByName: () => streamed("/api/_actions/count", { upto: 1 }),
    streamOfQuery: () => streamed(action("count-feed", "GET"), { upto: 2, labels: ["a", "b"] }),
    streamOfText: () => streamed(action("say"), { text: "line\u2028\nend ✓" }),
    refusedStream: () => streamed(action("count"), { upto: "many" }),
    earlyError: () => streamed(action("fail"), { code: "OUT_OF_CREDIT" }),
    unexpectedError: () => streamed(action("fail"), {}),
    lateError: () => streamed(action("fail-late"), {}),
    cut: () => streamed("/cut/api/_actions/count", { upto: 3 }),
    timeout: () => streamed(action("hang"), { key: "timeout" }, { timeout: 300 }),
    question: () => streamed(action("ask"), {}),

    async stop() {
      const stream = inScope(() => useStreamAction(action("hang")));
      const first = untilFirst(stream);
      const ended = stream.execute({ key: "stop" });
      await first;
      stream.stop();
      await ended;
      const { data } = await inScope(() => useAction(action("await-stop"))).execute({ key: "stop" });
      return { status: stream.status.value, stopped: data };
    },
    async again() {
      const stream = inScope(() => useStreamAction(action("hang")));
      const first = untilFirst(stream);
      const before = stream.execute({ key: "again" });
      await first;
      await stream.execute({ key: "again", ends: true });
      await before;
      return { status: stream.status.value, chunks: [...stream.chunks.value] };
    },

    call: () => inScope(() => useAction(action("add"))).execute({ a: 1, b: 2 }),
    callOfQuery: () => inScope(() => useAction(action("list-users", "GET"))).execute({ page: 2 }),
    callRefused: () => inScope(() => useAction(action("add"))).execute({ a: "one", b: 2 }),
    callFails: () => inScope(() => useAction(action("fail"))).execute({ code: "OUT_OF_CREDIT" }),
    callByMethods: () =>
      Promise.all(
        ["PUT", "PATCH", "DELETE"].map((method) => inScope(() => useAction(action("add", method))).execute({ a: 1, b: 2 })),
      ),
    async callReplaced() {
      const { execute } = inScope(() => useAction(action("hang"), { dedupe: "cancel" }));
      const before = execute({ key: "callReplaced" });
      await inScope(() => useAction(action("await-start"))).execute({ key: "callReplaced" });
      const after = await execute({ key: "callReplaced", ends: true });
      const { data } = await inScope(() => useAction(action("await-stop"))).execute({ key: "callReplaced" });
      return { before: (await before).success, after: after.success, stopped: data };
    },
    async form() {
      const form = inScope(() => useFormAction(action("add"), { initialValues: { a: "one", b: 2 } }));
      await form.submit();
      const refused = { ...form.fieldErrors.value };
      form.fields.a = 5;
      await form.submit();
      return { refused, data: form.data.value };
    },
    async optimistic() {
      const heard = [];
      const seen = inScope(() =>
        useOptimisticAction(action("add"), {
          currentData: 0,
          updateFn: (input) => input.a + input.b,
        }),
      );
      const before = seen.execute({ a: 1, b: 2 });
      heard.push(seen.optimisticData?.value);
      await before;
      return { status: seen.status.value, data: seen.data.value, shown: heard };
    },
    async infinite() {
      const query = inScope(() =>
        useInfiniteActionQuery(action("list-users", "GET"), () => ({ tag: "x" }), {
          initialPageParam: 1,
          getNextPageParam: (page) => page.next ?? undefined,
        }),
      );
      await new Promise((resolve) => watch(query.pages, resolve, { once: true }));
      await query.fetchNextPage();
      return { pages: query.pages.value.map((each) => each.users), hasMore: query.hasNextPage.value };
    },
    async query() {
      const query = inScope(() => useActionQuery(action("list-users", "GET"), { page: 2 }));
      await query.refresh();
      await nextTick();
      return { data: query.data.value, error: query.error.value };
    },
    async streamQuery() {
      const query = inScope(() => useStreamActionQuery(action("count"), { cacheKey: "counted" }));
      await query.execute({ upto: 2 });
      const again = inScope(() => useStreamActionQuery(action("count"), { cacheKey: "counted" }));
      return { chunks: [...query.chunks.value], status: query.status.value, cached: [...again.chunks.value] };
    },
    prefetched: () => prefetchAction(action("list-users", "GET"), { page: 3 }),
    async csrf() {
      const page = await fetch("/guarded/list-users?page=1", { headers: { accept: "application/json" } });
      const cookie = page.headers.get("set-cookie").split(";")[0];
      const token = cookie.slice("_csrf=".length);
      const call = (headers) => inScope(() => useAction("/guarded/add", { headers })).execute({ a: 1, b: 2 });
      return { with: await call({ cookie, "x-csrf-token": token }), without: (await call({ cookie })).error.code };
    },
    async many() {
      const { execute } = inScope(() => useActions([action("add"), action("fail")]));
      return execute([{ a: 1, b: 1 }, { code: "OUT_OF_CREDIT" }]);
    },
  };
}
