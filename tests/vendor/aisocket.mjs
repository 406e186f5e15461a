// WebSocketChatTransport: chats over one socket, over a connection that breaks.
import { WebSocketChatTransport } from "ai7";
import { Chat } from "react7";
import { aside, cable, until } from "./cable.mjs";

const textOf = (chat) => (chat.lastMessage?.role === "assistant" ? chat.lastMessage.parts.map(({ text }) => text ?? "").join("") : "");

export async function cases(server) {
  const { open } = aside(server);

  function talk(options = {}, base = server, at = "v7") {
    const told = { errors: [], finished: [] };
    const transport = new WebSocketChatTransport({ url: `${base.replace("http", "ws")}/${at}/chat` });
    const chat = new Chat({
      transport,
      onError: (error) => told.errors.push(error.message),
      onFinish: ({ isAbort, isError, isDisconnect }) => told.finished.push({ isAbort, isError, isDisconnect }),
      ...options,
    });
    return { chat, told, seen: () => ({ text: textOf(chat), status: chat.status, ...told }) };
  }

  /** How the newest run of a chat is, as its stream says. */
  const active = async (id, at = "v7") => (await fetch(`${server}/${at}/chat/${id}/stream`)).status;

  return {
    async text() {
      const { chat, seen } = talk();
      await chat.sendMessage({ text: "hello" });
      await chat.sendMessage({ text: "hello" });
      return seen();
    },
    async "fail before"() {
      const { chat, seen } = talk();
      await chat.sendMessage({ text: "fail" });
      return seen();
    },
    async "fail after"() {
      const { chat, seen } = talk();
      await chat.sendMessage({ text: "fails" });
      return seen();
    },
    async stop() {
      const { chat, seen } = talk({ id: "socket-stop" }, server, "kept7");
      const sent = chat.sendMessage({ text: "gated" });
      await until(() => textOf(chat) === "One ");
      await chat.stop();
      await sent;
      while ((await active("socket-stop", "kept7")) !== 204);
      return seen();
    },
    async "cut and resume"() {
      const wire = await cable(server);
      const { chat, seen } = talk({ id: "socket-cut" }, wire.url, "kept7");
      const sent = chat.sendMessage({ text: "twice" });
      await until(() => textOf(chat) === "One ");
      wire.cut();
      await sent;
      const broken = structuredClone(seen());
      const again = chat.resumeStream();
      await open("socket-cut");
      await until(() => textOf(chat) === "One two ");
      await open("socket-cut-2");
      await again;
      wire.close();
      return { broken, whole: seen() };
    },
    async "nothing to resume"() {
      const { chat, seen } = talk({ id: "socket-nothing" });
      await chat.resumeStream();
      return seen();
    },
  };
}
