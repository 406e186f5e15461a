// Server functions of TanStack Start, as its compiler makes them for a page: `createClientRpc` with
// the function's id, called by `createServerFn`.

import { registerHooks } from "node:module";
import { cable } from "./cable.mjs";

// For a page, the compiler replaces what runs in both places by its half for the client.
const clientHalf = `
const half = (run) => Object.assign(() => run?.(), { client: half, server: () => half(run) });
export const createIsomorphicFn = () => half();
export const createClientOnlyFn = (run) => run;
export const createServerOnlyFn = () => () => undefined;`;
registerHooks({
  resolve: (name, context, next) =>
    name === "@tanstack/start-fn-stubs"
      ? { url: `data:text/javascript,${encodeURIComponent(clientHalf)}`, shortCircuit: true }
      : next(name, context),
});
globalThis.window ??= globalThis;

export async function cases(url) {
  process.env.TSS_SERVER_FN_BASE = `${url}/_serverFn/`;
  const { createServerFn } = await import("@tanstack/start-client-core");
  const { createClientRpc } = await import("@tanstack/start-client-core/client-rpc");

  const fn = (id, method = "POST") => createServerFn({ method }).handler(createClientRpc(id));

  async function streamed(id, data, method) {
    const heard = { chunks: [], error: null, result: null };
    try {
      const generator = (await fn(id, method)({ data }))[Symbol.asyncIterator]();
      for (;;) {
        const { value, done } = await generator.next();
        if (done) {
          heard.result = value ?? null;
          heard.isDone = true;
          break;
        }
        heard.chunks.push(value);
      }
    } catch (error) {
      heard.error = { ...error, message: error.message, isError: error instanceof Error };
    }
    return heard;
  }
  const called = async (id, data, method) => {
    try {
      return { result: await fn(id, method)({ data }) };
    } catch (error) {
      return { error: { ...error, message: error.message, isError: error instanceof Error } };
    }
  };

  return {
    stream: () => streamed("count", { upto: 3 }),
    streamByGet: () => streamed("count", { upto: 1 }, "GET"),
    streamOfText: () => streamed("say", { text: 'line\u2028\n<"\\$end ✓' }),
    values: () => streamed("echo", { value: { a: [1, null, true, 1.5, { b: {} }], "<k>": "v", shared: 1 } }),
    shared() {
      const same = { x: 1 };
      return streamed("echo", { value: [same, same, new Date(0), undefined, new Set([1]), new Map([["k", 2]])] });
    },
    refused: () => streamed("count", { upto: "many" }),
    earlyError: () => streamed("fail", { code: "OUT_OF_CREDIT" }),
    lateError: () => streamed("fail_late"),
    unknown: () => called("nothing"),
    call: () => called("add", { a: 1, b: 2 }),
    callByGet: () => called("add", { a: 1, b: 2 }, "GET"),
    callFails: () => called("fail", { code: "OUT_OF_CREDIT" }),
    async form() {
      const form = new FormData();
      form.set("a", "1");
      form.set("b", "2");
      return called("add", form);
    },
    question: () => streamed("ask"),

    async stop() {
      const controller = new AbortController();
      const generator = (await fn("hang")({ data: { key: "tanstack" }, signal: controller.signal }))[Symbol.asyncIterator]();
      await generator.next();
      controller.abort();
      return called("await_stop", { key: "tanstack" });
    },
    async cut() {
      const wire = await cable(url);
      process.env.TSS_SERVER_FN_BASE = `${wire.url}/_serverFn/`;
      const hang = fn("hang");
      process.env.TSS_SERVER_FN_BASE = `${url}/_serverFn/`;
      // The client only logs that a connection broke, and also the abort of another case.
      const logged = new Promise((resolve) => {
        console.error = (_, { name, message }) => name !== "AbortError" && resolve(message);
      });
      const generator = (await hang({ data: { key: "tanstack cut" } }))[Symbol.asyncIterator]();
      const heard = { chunk: (await generator.next()).value, hasEnded: false };
      const end = () => (heard.hasEnded = true);
      const ended = Promise.resolve(generator.next()).then(end, end);
      wire.cut();
      wire.close();
      heard.logged = await Promise.race([logged, ended]);
      await new Promise(setImmediate);
      return heard;
    },
  };
}
