// `readStreamableValue` of @ai-sdk/rsc, over the rows that React's own Flight client reads.

globalThis.__webpack_require__ = { u: (id) => id }; // the bundler, which these values never need

export async function cases(url) {
  const { createFromFetch } = (await import("react-server-dom-webpack/client.browser")).default;
  const { readStreamableValue } = await import("@ai-sdk/rsc");

  const post = (path, input, signal) =>
    fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/x-component" },
      body: JSON.stringify(input ?? {}),
      signal,
    });

  async function read(path, input) {
    const heard = { values: [], error: null, isDone: false };
    try {
      const value = await createFromFetch(post(path, input));
      for await (const each of readStreamableValue(value)) heard.values.push(each);
      heard.isDone = true;
    } catch (error) {
      heard.error = error instanceof Error ? { thrown: error.message } : error;
    }
    return heard;
  }

  return {
    value: () => read("/rsc/grow"),
    text: () => read("/rsc/say", { text: "$1 <✓\u2028>\n", times: 3 }),
    objects: () => read("/rsc/work", { total: 2 }),
    escapes: () => read("/rsc/echo", { value: { price: "$5", list: ["$$", "$@1", "$undefined"] } }),
    single: () => read("/rsc/add", { a: 1, b: 2 }),
    refused: () => read("/rsc/count", { upto: "many" }),
    earlyError: () => read("/rsc/fail", { code: "OUT_OF_CREDIT" }),
    lateError: () => read("/rsc/fail_late"),
    cut: () => read("/cut/rsc/grow"),
    question: () => read("/rsc/ask"),
    idle: () => read("/rsc/pause"),
    async stop() {
      const controller = new AbortController();
      const value = await createFromFetch(post("/rsc/hang", { key: "rsc" }, controller.signal));
      const values = readStreamableValue(value)[Symbol.asyncIterator]();
      await values.next();
      controller.abort();
      return read("/rsc/await_stop", { key: "rsc" });
    },
  };
}
