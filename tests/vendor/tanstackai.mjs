// `ChatClient` of @tanstack/ai-client, over `fetchServerSentEvents`.
import { randomUUID } from "node:crypto";

export async function cases(url) {
  const { ChatClient, fetchServerSentEvents } = await import("@tanstack/ai-client");

  function clientAt(path, forwardedProps = {}) {
    const seen = { chunks: [], error: null };
    const connection = fetchServerSentEvents(url + path, { reconnect: { initialDelayMs: 1 } });
    const client = new ChatClient({
      connection,
      forwardedProps,
      threadId: randomUUID(),
      onChunk: (chunk) => void seen.chunks.push(chunk),
      onError: (error) => void (seen.error = error.message),
    });
    return { client, connection, seen };
  }

  const partsOf = (client) =>
    client.getMessages().map(({ role, parts }) => ({ role, parts }));

  async function chat(path, forwardedProps) {
    const { client, seen } = clientAt(path, forwardedProps);
    await client.sendMessage("Will it rain?");
    return {
      messages: partsOf(client),
      types: seen.chunks.map((chunk) => chunk.type),
      steps: seen.chunks.filter(({ type }) => type === "ACTIVITY_SNAPSHOT").map(({ content }) => content.current),
      error: seen.error,
    };
  }

  return {
    parts: () => chat("/agui/assist", { tone: "Well: " }),
    text: () => chat("/agui/say", { text: "$1 <✓\u2028>\n", times: 2 }),
    earlyError: () => chat("/agui/fail", { code: "OUT_OF_CREDIT" }),
    lateError: () => chat("/agui/fail_late"),
    resumed: () => chat("/cutcalls/agui/work_slowly", { total: 9 }),
    cut: () => chat("/cut/agui/say"),
    async question() {
      const { client } = clientAt("/agui/decide");
      await client.sendMessage("Hello");
      return client.getInterrupts().map(({ kind, message, canResolve }) => ({ kind, message, canResolve }));
    },
    async stop() {
      const { client } = clientAt("/agui/hang", { key: "tanstack-ai" });
      const running = client.sendMessage("Wait.");
      await chat("/agui/await_start", { key: "tanstack-ai" });
      client.stop();
      await running;
      const stopped = await chat("/agui/await_stop", { key: "tanstack-ai" });
      return stopped.types;
    },
    async joined() {
      const { client, connection, seen } = clientAt("/kept/agui/say", { text: "ahoy" });
      await client.sendMessage("Hello");
      const joined = [];
      for await (const chunk of connection.joinRun(seen.chunks[0].runId)) joined.push(chunk.type);
      return { joined, seen: seen.chunks.map((chunk) => chunk.type) };
    },
  };
}
