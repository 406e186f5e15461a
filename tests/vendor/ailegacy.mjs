// What useChat and useCompletion of the AI SDK 4 are made of.
import { callChatApi, callCompletionApi } from "@ai-sdk/ui-utils";
import { aside, cable, until } from "./cable.mjs";

export async function cases(server) {
  const all = {};
  const add = (name, play) => (all[name] = play);
  const { open, ended } = aside(server);

  let ids = 0;
  function talk(prompt, { at = "v4", base = server, abort } = {}) {
    const told = { errors: [], finished: [], message: undefined, data: undefined };
    const messages = [{ id: "m", role: "user", content: prompt }];
    const sent = callChatApi({
      api: `${base}/${at}/legacy`,
      body: { id: `legacy-${prompt}`, messages },
      streamProtocol: "data",
      credentials: undefined,
      headers: undefined,
      abortController: () => abort ?? null,
      restoreMessagesOnFailure() {},
      onResponse: (answer) => void (told.run = answer.headers.get("run-id")),
      onUpdate({ message, data }) {
        told.message = message;
        told.data = data;
      },
      onFinish: (message, { finishReason, usage }) => told.finished.push([message?.content, finishReason, usage]),
      generateId: () => `id-${ids++}`,
      fetch: undefined,
      lastMessage: messages[0],
      getCurrentDate: () => new Date(0),
    }).catch((error) => told.errors.push(error.message));
    return { told, sent };
  }

  for (const prompt of ["hello", "fail", "fails", "parts"])
    add(prompt, async () => {
      const { told, sent } = talk(prompt);
      await sent;
      return told;
    });

  add("stop", async () => {
    const abort = new AbortController();
    const { told, sent } = talk("gated", { abort });
    await until(() => told.message?.content === "One ");
    abort.abort();
    await sent;
    return { ...told, run: await ended(told.run) };
  });

  add("cut", async () => {
    const wire = await cable(server);
    const { told, sent } = talk("twice", { at: "kept4", base: wire.url });
    await until(() => told.message?.content === "One ");
    wire.cut();
    await sent;
    wire.close();
    const resumed = await fetch(`${server}/kept4/legacy?chatId=legacy-twice`);
    await open("twice");
    await open("twice-2");
    const again = await fetch(`${server}/kept4/legacy?chatId=nobody`);
    return { ...told, resumed: (await resumed.text()).split("\n"), again: again.status };
  });

  add("completion", async () => {
    const told = { errors: [], finished: [] };
    const text = await callCompletionApi({
      api: `${server}/v4/complete`,
      prompt: "hello",
      credentials: undefined,
      headers: undefined,
      body: {},
      streamProtocol: "data",
      setCompletion() {},
      setLoading() {},
      setError: (error) => error && told.errors.push(error.message),
      setAbortController() {},
      onFinish: (_, text) => told.finished.push(text),
      fetch: undefined,
    });
    return { text, ...told };
  });

  return all;
}
