// `wsLink` of @trpc/client: queries, mutations and subscriptions over one socket.

import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
import { cable, until } from "./cable.mjs";

export async function cases(server) {
  function open(base = server, options = {}) {
    const opened = { count: 0 };
    const client = createWSClient({
      url: `${base.replace("http", "ws")}/trpc/`,
      onOpen: () => { opened.count += 1; },
      ...options,
    });
    return { client, opened, trpc: createTRPCClient({ links: [wsLink({ client })] }) };
  }
  const { trpc } = open();

  const told = (error) => ({ code: error.data?.code, reason: error.data?.reason, shape: error.shape });
  const caught = (promise) => promise.then((value) => ({ value }), (error) => ({ error: told(error) }));

  // What a subscription tells its user until it is over, or until `enough` values.
  function hear(trpc, name, input, enough = Number.POSITIVE_INFINITY, heard = {}) {
    Object.assign(heard, { values: [], ids: [], started: 0, error: null, isDone: false });
    return new Promise((resolve) => {
      const subscription = trpc[name].subscribe(input, {
        onStarted: () => { heard.started += 1; },
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

  return {
    stream: () => hear(trpc, "count", { upto: 3 }),
    query: () => trpc.add.query({ a: 1, b: 2 }),
    mutation: () => trpc.list.users.mutate({ page: 2, tag: "x" }),
    many: () => Promise.all([
      caught(trpc.add.query({ a: 1, b: 2 })),
      caught(trpc.fail.query({ code: "OUT_OF_CREDIT" })),
      hear(trpc, "say", { text: "one" }),
    ]),
    refused: () => hear(trpc, "count", { upto: "many" }),
    unknown: () => caught(trpc.nothing.query()),
    earlyError: () => hear(trpc, "fail", { code: "OUT_OF_CREDIT" }),
    hidden: () => hear(trpc, "fail", {}),
    lateError: () => hear(trpc, "fail_late", {}),
    question: () => hear(trpc, "ask", {}),
    async resumed() {
      const between = await cable(server);
      const { client, opened, trpc } = open(between.url);
      const heard = {};
      const whole = hear(trpc, "work_slowly", { total: 8 }, undefined, heard);
      for (const enough of [1, 4]) {
        await until(() => heard.values.length >= enough);
        between.cut();
      }
      const seen = await whole;
      client.close();
      between.close();
      return { ...seen, opened: opened.count };
    },
    async stop() {
      await hear(trpc, "hang_until_left", { key: "trpc-socket" }, 1);
      return trpc.await_stop.query({ key: "trpc-socket" });
    },
    async idle() {
      const keepAlive = { enabled: true, intervalMs: 50, pongTimeoutMs: 5000 };
      const { client, opened, trpc } = open(server, { keepAlive });
      const seen = await hear(trpc, "pause", {});
      client.close();
      return { ...seen, opened: opened.count };
    },
  };
}
