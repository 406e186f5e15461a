// useCompletion and useObject of Vue in a component, and chats over text streams.
import { createRenderer, nextTick } from "vue";
import { z } from "zod";
import { aside, cable, until } from "./cable.mjs";

export async function cases(server, major) {
  const all = {};
  const add = (name, play) => (all[name] = play);
  const { ended } = aside(server);

  const ai = await import(`ai${major}`);
  const { Chat } = await import(`react${major}`);
  const { useCompletion, experimental_useObject: useObject } = await import(`vue${major}`);
  const schema = z.object({ steps: z.array(z.string()) });

  const nothing = () => {};
  const element = () => ({});
  const { createApp } = createRenderer({
    patchProp: nothing, insert: nothing, remove: nothing, setText: nothing, setElementText: nothing,
    createElement: element, createText: element, createComment: element,
    parentNode: () => null, nextSibling: () => null,
  });

  /** Call a composable in the setup of a component without a page. */
  function used(compose) {
    let it;
    createApp({ setup: () => ((it = compose()), () => null) }).mount({});
    return it;
  }

  /** Every value that a ref has had, without repetitions. */
  function tellTale(read, told) {
    const timer = setInterval(() => {
      const value = JSON.stringify(read());
      if (value !== undefined && told.at(-1) !== value) told.push(value);
    }, 1);
    return () => clearInterval(timer);
  }

  const completion = (at, prompt, { base = server, ...options } = {}) => {
    const told = { errors: [], finished: [] };
    let run;
    const it = used(() =>
      useCompletion({
        api: `${base}/${at}/complete`,
        onError: (error) => told.errors.push(error.message),
        onFinish: (_, text) => told.finished.push(text),
        fetch: async (url, init) => {
          const answer = await fetch(url, init);
          run = answer.headers.get("run-id") ?? answer.headers.get("x-workflow-run-id");
          return answer;
        },
        ...options,
      }),
    );
    const seen = () => ({ text: it.completion.value, loading: it.isLoading.value, ...told });
    return { it, seen, sent: it.complete(prompt), run: () => run };
  };

  for (const [protocol, at] of [["data", `v${major}`], ["text", "text"]]) {
    const name = (what) => `${protocol} ${what}`;
    const options = { streamProtocol: protocol };

    for (const prompt of ["hello", "fail", "fails"])
      add(name(prompt), async () => {
        const { seen, sent } = completion(at, prompt, options);
        await sent;
        await nextTick();
        return seen();
      });

    add(name("stop"), async () => {
      const { it, seen, sent, run } = completion(at, "gated", { id: `${major}-${protocol}`, ...options });
      await until(() => it.completion.value === "One ");
      it.stop();
      await sent;
      return { ...seen(), run: run() && (await ended(run())) };
    });

    add(name("cut"), async () => {
      const wire = await cable(server);
      const { it, seen, sent } = completion(at, "gated", { base: wire.url, ...options });
      await until(() => it.completion.value === "One ");
      wire.cut();
      await sent;
      wire.close();
      return seen();
    });
  }

  for (const [action, topic] of [["plan", "cake"], ["plan", "broken"], ["whole_plan", "cake"]])
    add(`object ${action} ${topic}`, async () => {
      const told = { errors: [], finished: [], seen: [] };
      const it = used(() =>
        useObject({
          api: `${server}/text/${action}`,
          schema,
          onError: (error) => told.errors.push(error.message),
          onFinish: ({ object }) => told.finished.push(object),
        }),
      );
      const stop = tellTale(() => it.object.value, told.seen);
      await it.submit({ topic });
      await until(() => !it.isLoading.value);
      stop();
      return { object: it.object.value, error: it.error.value?.message, ...told };
    });

  for (const prompt of ["hello", "fails"])
    add(`text chat ${prompt}`, async () => {
      const transport = new ai.TextStreamChatTransport({ api: `${server}/text/chat` });
      const errors = [];
      const chat = new Chat({ transport, onError: (error) => errors.push(error.message) });
      await chat.sendMessage({ text: prompt });
      const text = chat.lastMessage.parts.map(({ text }) => text ?? "").join("");
      return { status: chat.status, text, errors };
    });

  return all;
}
