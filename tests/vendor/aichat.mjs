// useChat's own classes, of React and of Vue, in every version.
import { aside, cable, until as so } from "./cable.mjs";

export async function cases(server, major) {
  const all = {};
  const add = (name, play) => (all[name] = play);
  const { open, ended } = aside(server);

  const ai = await import(`ai${major}`);
  const classes = { react: (await import(`react${major}`)).Chat, vue: (await import(`vue${major}`)).Chat };
  const { DefaultChatTransport } = ai;

  function talk(Chat, { at = "v", id, base = server, ...options } = {}) {
    const told = { errors: [], finished: [], runs: [], data: [] };
    const chat = new Chat({
      id,
      transport: new DefaultChatTransport({
        api: `${base}/${at}${major}/chat`,
        fetch: async (url, init) => {
          const answer = await fetch(url, init);
          told.runs.push(answer.headers.get("x-workflow-run-id"));
          told.status = answer.status;
          return answer;
        },
      }),
      onError: (error) => told.errors.push(error.message),
      onFinish: ({ isAbort, isDisconnect, isError, finishReason }) =>
        told.finished.push({ isAbort, isDisconnect, isError, finishReason }),
      onData: (part) => told.data.push(part.type),
      ...options,
    });
    return { chat, told };
  }

  const textOf = (chat) =>
    chat.lastMessage?.role === "assistant"
      ? chat.lastMessage.parts.map((part) => (part.type === "text" ? part.text : "")).join("")
      : null;

  const seen = ({ chat, told }) => ({
    status: chat.status,
    text: textOf(chat),
    roles: chat.messages.map((message) => message.role).join(" "),
    error: chat.error?.message,
    ...told,
  });

  /** Wait until the chat has a text. */
  const until = (chat, text) => so(() => textOf(chat) === text);

  for (const [framework, Chat] of Object.entries(classes)) {
    const name = (what) => `${framework} ${what}`;
    const id = (what) => `${framework}-${major}-${what}`;

    add(name("text"), async () => {
      const it = talk(Chat);
      await it.chat.sendMessage({ text: "hello" });
      await it.chat.sendMessage({ text: "hello" });
      return seen(it);
    });

    add(name("fail before"), async () => {
      const it = talk(Chat);
      await it.chat.sendMessage({ text: "fail" });
      return seen(it);
    });

    add(name("fail after"), async () => {
      const it = talk(Chat);
      await it.chat.sendMessage({ text: "fails" });
      return seen(it);
    });

    add(name("stop"), async () => {
      const it = talk(Chat, { id: id("stop") });
      const sent = it.chat.sendMessage({ text: "gated" });
      await until(it.chat, "One ");
      await it.chat.stop();
      await sent;
      return { ...seen(it), run: await ended(it.told.runs[0]) };
    });

    add(name("cut"), async () => {
      const wire = await cable(server);
      const it = talk(Chat, { at: "kept", id: id("cut"), base: wire.url });
      const sent = it.chat.sendMessage({ text: "gated" });
      await until(it.chat, "One ");
      wire.cut();
      await sent;
      const broken = structuredClone(seen(it));
      const again = it.chat.resumeStream();
      await so(() => it.told.runs.length === 2);
      await open(id("cut"));
      await again;
      wire.close();
      return { broken, whole: seen(it) };
    });

    add(name("resume"), async () => {
      const first = talk(Chat, { at: "kept", id: id("resume") });
      const sent = first.chat.sendMessage({ text: "gated" });
      await until(first.chat, "One ");
      const other = talk(Chat, { at: "kept", id: id("resume"), messages: first.chat.messages.slice(0, 1) });
      const resumed = other.chat.resumeStream();
      await until(other.chat, "One ");
      await open(id("resume"));
      await Promise.all([sent, resumed]);
      return { first: seen(first), other: seen(other) };
    });

    add(name("nothing to resume"), async () => {
      const it = talk(Chat, { at: "kept", id: id("nothing") });
      await it.chat.resumeStream();
      return seen(it);
    });

    add(name("stop a kept one"), async () => {
      const it = talk(Chat, { at: "kept", id: id("kept") });
      const sent = it.chat.sendMessage({ text: "gated" });
      await until(it.chat, "One ");
      const stopped = await fetch(`${server}/kept${major}/chat/${id("kept")}/stream`, { method: "DELETE" });
      await sent;
      return { ...seen(it), stopped: stopped.status, run: await ended(it.told.runs[0]) };
    });

    add(name("own chunks"), async () => {
      const it = talk(Chat);
      await it.chat.sendMessage({ text: "own" });
      return it.chat.lastMessage.parts.map(({ type, data, text }) => [type, data ?? text ?? null]);
    });

    add(name("parts"), async () => {
      const it = talk(Chat);
      await it.chat.sendMessage({ text: "parts" });
      const { parts, metadata, id: message } = it.chat.lastMessage;
      return { ...seen(it), parts, metadata, isRun: message === it.told.runs[0] };
    });

    for (const approved of [true, false])
      if (major !== "5")
        add(name(approved ? "approve" : "deny"), async () => {
          const it = talk(Chat, {
            id: id(`approve-${approved}`),
            sendAutomaticallyWhen: ai.lastAssistantMessageIsCompleteWithApprovalResponses,
          });
          await it.chat.sendMessage({ text: "delete" });
          const asked = it.chat.lastMessage.parts.find((part) => part.type === "tool-delete");
          const other = talk(Chat, { id: id(`approve-${approved}`), messages: it.chat.messages.slice(0, 1) });
          await other.chat.resumeStream();
          const elsewhere = other.chat.lastMessage.parts.find((part) => part.type === "tool-delete").state;
          const status = it.chat.status;
          await it.chat.addToolApprovalResponse({ id: asked.approval.id, approved, reason: "Because." });
          await until(it.chat, approved ? "Done." : "Kept.");
          await so(() => it.chat.status === "ready");
          const tool = it.chat.lastMessage.parts.find((part) => part.type === "tool-delete");
          return { ...seen(it), asked: asked.state, elsewhere, tool: tool.state, output: tool.output, paused: status };
        });
  }

  return all;
}
