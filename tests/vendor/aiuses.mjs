// useCompletion and useObject of Vue and of React in a component, and chats over text streams.
import { z } from "zod";
import { aside, cable, until } from "./cable.mjs";
import * as components from "./component.mjs";

export async function cases(server, major) {
  const all = {};
  const { ended } = aside(server);

  const ai = await import(`ai${major}`);
  const { Chat } = await import(`react${major}`);
  const schema = z.object({ steps: z.array(z.string()) });

  /** What a component is told, and the options that tell it. */
  function telling(finished) {
    const told = { errors: [], finished: [] };
    const options = {
      onError: (error) => told.errors.push(error.message),
      onFinish: (...all) => told.finished.push(finished(...all)),
      fetch: async (url, init) => {
        const answer = await fetch(url, init);
        told.id = answer.headers.get("run-id") ?? answer.headers.get("x-workflow-run-id");
        return answer;
      },
    };
    return { told, options };
  }

  for (const [framework, mount] of Object.entries(components)) {
    const { useCompletion, experimental_useObject: useObject } = await import(`${framework}${major}`);
    const add = (name, play) => (all[`${framework} ${name}`] = play);

    async function completion(path, prompt, { base = server, ...own } = {}) {
      const { told, options } = telling((_, text) => text);
      const it = await mount(() => useCompletion({ api: `${base}/${path}/complete`, ...options, ...own }));
      const sent = it.now().complete(prompt);
      const seen = async () => {
        await sent;
        await it.settled();
        const { completion, isLoading } = it.now();
        return { text: completion, loading: isLoading, ...told };
      };
      return { it, told, seen, begun: () => until(() => it.now().completion === "One ") };
    }

    async function object(action, input, { base = server } = {}) {
      const { told, options } = telling(({ object }) => object);
      const it = await mount(() => useObject({ api: `${base}/text/${action}`, schema, ...options }));
      const sent = it.now().submit(input);
      const seen = async () => {
        await sent;
        await it.settled();
        const { object, error, isLoading } = it.now();
        return { object, error: error?.message, loading: isLoading, ...told };
      };
      return { it, told, seen, begun: () => until(() => it.now().object?.steps?.length === 1) };
    }

    const play = (name, start, whole, gated) => {
      for (const [what, ...given] of whole) add(`${name} ${what}`, async () => (await start(...given)).seen());

      add(`${name} stop`, async () => {
        const { it, told, seen, begun } = await start(...gated);
        await begun();
        it.now().stop();
        return { ...(await seen()), run: await ended(told.id) };
      });

      add(`${name} cut`, async () => {
        const wire = await cable(server);
        const { seen, begun } = await start(...gated, { base: wire.url });
        await begun();
        wire.cut();
        wire.close();
        return seen();
      });
    };

    for (const [protocol, path] of [["data", `v${major}`], ["text", "text"]]) {
      const start = (prompt, own) => completion(path, prompt, { streamProtocol: protocol, ...own });
      play(protocol, start, ["hello", "fail", "fails"].map((prompt) => [prompt, prompt]), ["gated"]);
    }
    const whole = [
      ["cake", "plan", { topic: "cake" }],
      ["broken", "plan", { topic: "broken" }],
      ["refused", "plan", {}],
      ["of a result", "whole_plan", { topic: "cake" }],
    ];
    play("object", object, whole, ["plan", { topic: "gated" }]);
  }

  for (const prompt of ["hello", "fails"])
    all[`text chat ${prompt}`] = async () => {
      const transport = new ai.TextStreamChatTransport({ api: `${server}/text/chat` });
      const errors = [];
      const chat = new Chat({ transport, onError: (error) => errors.push(error.message) });
      await chat.sendMessage({ text: prompt });
      const text = chat.lastMessage.parts.map(({ text }) => text ?? "").join("");
      return { status: chat.status, text, errors };
    };

  return all;
}
