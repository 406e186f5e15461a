// `createTRPCClient` of @trpc/client: subscriptions over an EventSource, and calls in both links.

import {
  createTRPCClient, httpBatchLink, httpBatchStreamLink, httpLink, httpSubscriptionLink,
} from "@trpc/client";
import { EventSource } from "eventsource";

export async function cases(url) {
  const client = (path, link = httpLink) => createTRPCClient({ links: [link({ url: url + path })] });
  const subscriber = (path) => client(path, (options) =>
    httpSubscriptionLink({ ...options, EventSource }));
  const trpc = client("/trpc");

  const told = (error) => ({ code: error.data?.code, reason: error.data?.reason, shape: error.shape });

  // What a subscription tells its user until it is over, or until `enough` values.
  function hear(path, name, input, enough = Number.POSITIVE_INFINITY) {
    return new Promise((resolve) => {
      const heard = { values: [], ids: [], connections: 0, error: null, isDone: false };
      const subscription = subscriber(path)[name].subscribe(input, {
        onStarted: () => { heard.connections += 1; },
        onData: ({ id, data }) => {
          heard.ids.push(id);
          heard.values.push(data.n ?? data.text ?? data.percent ?? data);
          if (heard.values.length >= enough) {
            subscription.unsubscribe();
            resolve(heard);
          }
        },
        onError: (error) => resolve({ ...heard, error: told(error) }),
        onComplete: () => resolve({ ...heard, isDone: true }),
      });
    });
  }

  async function batch(link) {
    const batched = client("/trpc", link);
    return Promise.all([
      caught(batched.add.query({ a: 1, b: 2 })),
      caught(batched.fail.query({ code: "OUT_OF_CREDIT" })),
      caught(batched.list.users.query()),
    ]);
  }

  const caught = (promise) => promise.then((value) => ({ value }), (error) => ({ error: told(error) }));

  return {
    stream: () => hear("/trpc", "count", { upto: 3 }),
    query: () => trpc.add.query({ a: 1, b: 2 }),
    mutation: () => trpc.add.mutate({ a: 1, b: 2 }),
    nested: () => trpc.list.users.query({ page: 2, tag: "x" }),
    batch: () => batch(httpBatchLink),
    batchOfLines: () => batch(httpBatchStreamLink),
    async tooManyInABatch() {
      const batched = client("/trpc", httpBatchLink);
      const calls = Array.from({ length: 51 }, () => caught(batched.add.query({ a: 1, b: 2 })));
      return Promise.all(calls);
    },
    refused: () => hear("/trpc", "count", { upto: "many" }),
    earlyError: () => hear("/trpc", "fail", { code: "OUT_OF_CREDIT" }),
    hidden: () => hear("/trpc", "fail", {}),
    lateError: () => hear("/trpc", "fail_late", {}),
    wholeError: () => caught(trpc.fail.mutate({ code: "OUT_OF_CREDIT" })),
    resumed: () => hear("/cutcalls/trpc", "work_slowly", { total: 6 }),
    question: () => hear("/trpc", "ask", {}),
    idle: () => hear("/trpc", "pause", {}),
    async stop() {
      await hear("/trpc", "hang_until_left", { key: "trpc" }, 1);
      return trpc.await_stop.query({ key: "trpc" });
    },
  };
}
