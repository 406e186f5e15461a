// WorkflowChatTransport over a connection that breaks twice, and its tail.
import { WorkflowChatTransport } from "@ai-sdk/workflow/client";
import { Chat } from "react7";
import { aside, cable, until } from "./cable.mjs";

export async function cases(server) {
  const all = {};
  const add = (name, play) => (all[name] = play);
  const { open, ended } = aside(server);

  console.error = console.warn = () => {};
  const textOf = (chat) => (chat.lastMessage?.parts ?? []).map(({ text }) => text ?? "").join("");

  function talk(wire, options = {}) {
    const told = { urls: [], errors: [], finished: [], tails: [], runs: [] };
    const transport = new WorkflowChatTransport({
      api: `${wire.url}/kept7/chat`,
      fetch: async (url, init) => {
        const answer = await fetch(url, init);
        told.urls.push(String(url).replace(/.*\/chat/, "").replace(/\/r[\w-]{20}\//, "/RUN/"));
        told.tails.push(answer.headers.get("x-workflow-stream-tail-index"));
        told.runs.push(answer.headers.get("x-workflow-run-id"));
        return answer;
      },
      prepareSendMessagesRequest: ({ id, messages }) => ({ body: { id, messages }, headers: { "content-type": "application/json" } }),
      ...options,
    });
    const chat = new Chat({
      transport,
      ...options,
      onError: (error) => told.errors.push(error.message),
      onFinish: ({ isError, isDisconnect }) => told.finished.push({ isError, isDisconnect }),
    });
    return { chat, told };
  }

  add("two cuts", async () => {
    const wire = await cable(server);
    const { chat, told } = talk(wire, { id: "workflow-cut" });
    const sent = chat.sendMessage({ text: "twice" });
    await until(() => textOf(chat) === "One ");
    wire.cut();
    await until(() => told.urls.length === 2);
    await open("workflow-cut");
    await until(() => textOf(chat) === "One two ");
    wire.cut();
    await until(() => told.urls.length === 3);
    await open("workflow-cut-2");
    await sent;
    wire.close();
    return { text: textOf(chat), status: chat.status, ...told };
  });

  add("the tail", async () => {
    const wire = await cable(server);
    const first = talk(wire, { id: "workflow-tail" });
    const sent = first.chat.sendMessage({ text: "twice" });
    await until(() => textOf(first.chat) === "One ");
    await open("workflow-tail");
    await until(() => textOf(first.chat) === "One two ");
    const other = talk(wire, { id: "workflow-tail", initialStartIndex: -1 });
    const resumed = other.chat.resumeStream();
    await until(() => other.told.urls.length === 1);
    await open("workflow-tail-2");
    await Promise.all([sent, resumed]);
    wire.close();
    return { text: textOf(first.chat), tail: other.told.tails[0], ...other.told, status: other.chat.status };
  });

  add("cancelled elsewhere", async () => {
    const wire = await cable(server);
    const { chat, told } = talk(wire, { id: "workflow-stop" });
    const sent = chat.sendMessage({ text: "twice" });
    await until(() => textOf(chat) === "One ");
    await fetch(`${server}/kept7/chat/workflow-stop/stream`, { method: "DELETE" });
    await sent;
    wire.close();
    return { text: textOf(chat), status: chat.status, ...told, run: await ended(told.runs[0]) };
  });

  add("fails", async () => {
    const wire = await cable(server);
    const { chat, told } = talk(wire);
    await chat.sendMessage({ text: "fails" });
    wire.close();
    return { text: textOf(chat), status: chat.status, ...told };
  });

  return all;
}
