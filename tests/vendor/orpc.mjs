// `createORPCClient` of @orpc/client over its RPCLink, with and without its retry plugin.

import { createORPCClient, isDefinedError, ORPCError } from "@orpc/client";
import { RPCLink } from "@orpc/client/fetch";
import { ClientRetryPlugin } from "@orpc/client/plugins";

export async function cases(url) {
  const client = (path, options) => createORPCClient(new RPCLink({ url: url + path, ...options }));
  const retrying = (path) => {
    const plugins = [new ClientRetryPlugin({ default: { retry: 9, retryDelay: 10 } })];
    return client(path, { plugins });
  };
  const orpc = client("/orpc");

  function told(error) {
    if (!(error instanceof ORPCError)) return { thrown: error.constructor.name };
    const { code, status, data } = error;
    return { code, status, data, isDefined: isDefinedError(error) };
  }

  async function read(call) {
    const heard = { values: [], result: null, error: null, isDone: false };
    try {
      const iterator = await call();
      for (;;) {
        const { done, value } = await iterator.next();
        if (done) {
          Object.assign(heard, { isDone: true, result: value ?? null });
          break;
        }
        heard.values.push(value.n ?? value.text ?? value.percent ?? value);
      }
    } catch (error) {
      heard.error = told(error);
    }
    return heard;
  }

  return {
    stream: () => read(() => orpc.count({ upto: 3 })),
    value: () => orpc.add({ a: 1, b: 2 }),
    nested: () => orpc.list.users({ page: 2, tag: "x" }),
    types: () => read(() => orpc.echo({ value: new Map([["at", new Date(0)], ["big", 7n]]) })),
    nothing: () => read(() => orpc.say()),
    feed: () => read(() => client("/orpc", { method: "GET" }).count_feed({ upto: 2, labels: ["a"] })),
    refused: () => read(() => orpc.count({ upto: "many" })),
    earlyError: () => read(() => orpc.fail({ code: "OUT_OF_CREDIT" })),
    hidden: () => read(() => orpc.fail({})),
    lateError: () => read(() => orpc.fail_late({})),
    lateErrorRetried: () => read(() => retrying("/resumable/orpc").fail_late({})),
    cut: () => read(() => client("/cut/orpc").count({ upto: 3 })),
    resumed: () => read(() => retrying("/cutcalls/orpc").work_slowly({ total: 6 })),
    question: () => read(() => orpc.ask({})),
    idle: () => read(() => orpc.pause({})),
    async stop() {
      const iterator = await orpc.hang({ key: "orpc" });
      await iterator.next();
      await iterator.return();
      return orpc.await_stop({ key: "orpc" });
    },
    async abort() {
      const controller = new AbortController();
      const iterator = await orpc.hang({ key: "orpc-abort" }, { signal: controller.signal });
      await iterator.next();
      controller.abort();
      return orpc.await_stop({ key: "orpc-abort" });
    },
  };
}
