// The client that @hey-api/openapi-ts generates, whose streams are typed async iterables.

import { createClient } from "./client/client/index.ts";
import { add, countFeed, failLate, workSlowly } from "./client/index.ts";

export function cases(url: string) {
  const client = createClient({ baseUrl: url });

  async function percentsAt(baseUrl: string) {
    const events: (string | undefined)[] = [];
    const { stream } = await workSlowly({
      client: createClient({ baseUrl }),
      body: { total: 6 },
      headers: { "Idempotency-Key": `heyapi ${baseUrl}` },
      sseDefaultRetryDelay: 10,
      onSseEvent: ({ event }) => events.push(event),
    });
    const percents: (number | null)[] = [];
    for await (const data of stream) {
      if (!("type" in data)) continue;
      percents.push(data.percent);
      // @ts-expect-error: it is neither `any` nor text.
      const text: string = data.percent;
    }
    return { percents, last: events.at(-1) };
  }

  return {
    stream: () => percentsAt(url),
    resumed: () => percentsAt(url.replace("/api/_actions", "/cutcalls/actions")),
    async feed() {
      const numbers: unknown[] = [];
      const { stream } = await countFeed({ client, query: { upto: 2, labels: ["a"] } });
      for await (const data of stream) if ("n" in data) numbers.push(data["n"]);
      return numbers;
    },
    async lateError() {
      const codes: string[] = [];
      const { stream } = await failLate({ client, body: {} });
      for await (const data of stream) if ("code" in data) codes.push(data.code);
      return codes;
    },
    async value() {
      const { data } = await add({ client, body: { a: 1, b: 2 } });
      if (data?.status !== "completed" || !("runId" in data)) return null;
      const sum: number = data.result;
      return sum;
    },
    async refused() {
      // @ts-expect-error: the input has a type.
      const { error } = await add({ client, body: { a: "one", b: 2 } });
      return error?.error.fieldErrors;
    },
  };
}
