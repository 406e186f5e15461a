// `RPCLink` of @orpc/client over WebSocket, with and without its retry plugin.

import { createORPCClient, isDefinedError, ORPCError } from "@orpc/client";
import { ClientRetryPlugin } from "@orpc/client/plugins";
import { RPCLink } from "@orpc/client/websocket";
import { cable, until } from "./cable.mjs";

/** A socket that is opened again after a cut, as libraries for it do. */
class Reconnecting extends EventTarget {
  constructor(url) {
    super();
    this.url = url;
    this.opened = 0;
    this.open();
  }

  open() {
    this.socket = new WebSocket(this.url);
    for (const type of ["open", "message", "close"]) {
      this.socket.addEventListener(type, (event) => {
        this.dispatchEvent(new event.constructor(type, event));
        if (type === "open") this.opened += 1;
        if (type === "close" && !this.isOver) this.open();
      });
    }
    this.socket.addEventListener("error", () => {});
  }

  get readyState() {
    return this.socket.readyState;
  }

  send(message) {
    this.socket.send(message);
  }

  close() {
    this.isOver = true;
    this.socket.close();
  }
}

export async function cases(server) {
  const link = (path, base = server, options = {}) => {
    const websocket = new Reconnecting(`${base.replace("http", "ws")}${path}/`);
    return { websocket, orpc: createORPCClient(new RPCLink({ websocket, ...options })) };
  };
  const { orpc } = link("/orpc");

  function told(error) {
    if (!(error instanceof ORPCError)) return { thrown: error.constructor.name };
    const { code, status, data } = error;
    return { code, status, data, isDefined: isDefinedError(error) };
  }

  async function read(call, heard = {}) {
    Object.assign(heard, { values: [], result: null, error: null, isDone: false });
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
    many: () => Promise.all([orpc.add({ a: 1, b: 2 }), read(() => orpc.say({ text: "one" })), orpc.add({ a: 3, b: 4 })]),
    file: () => read(() => orpc.echo({ value: new Blob(["a"]) })),
    refused: () => read(() => orpc.count({ upto: "many" })),
    earlyError: () => read(() => orpc.fail({ code: "OUT_OF_CREDIT" })),
    hidden: () => read(() => orpc.fail({})),
    lateError: () => read(() => orpc.fail_late({})),
    question: () => read(() => orpc.ask({})),
    async resumed() {
      const between = await cable(server);
      const plugins = [new ClientRetryPlugin({ default: { retry: 9, retryDelay: 10 } })];
      const { orpc, websocket } = link("/resumable/orpc", between.url, { plugins });
      const heard = {};
      const whole = read(() => orpc.work_slowly({ total: 8 }), heard);
      for (const enough of [1, 4]) {
        await until(() => heard.values.length >= enough);
        between.cut();
      }
      await whole;
      websocket.close();
      between.close();
      return { ...heard, opened: websocket.opened };
    },
    async cut() {
      const between = await cable(server);
      const { orpc, websocket } = link("/orpc", between.url);
      const heard = {};
      const whole = read(() => orpc.hang({ key: "orpc-socket-cut" }), heard);
      await until(() => heard.values.length >= 1);
      between.cut();
      await whole;
      websocket.close();
      between.close();
      return heard;
    },
    async stop() {
      const iterator = await orpc.hang({ key: "orpc-socket" });
      await iterator.next();
      await iterator.return();
      return orpc.await_stop({ key: "orpc-socket" });
    },
    async abort() {
      const controller = new AbortController();
      const iterator = await orpc.hang({ key: "orpc-socket-abort" }, { signal: controller.signal });
      await iterator.next();
      controller.abort();
      return orpc.await_stop({ key: "orpc-socket-abort" });
    },
  };
}
