// openapi-fetch with the types that openapi-typescript generates.

import createClient from "openapi-fetch";
import type { paths } from "./api.d.ts";

type Line = paths["/work_slowly"]["post"]["responses"][200]["content"]["application/x-ndjson"];

export function cases(url: string) {
  const client = createClient<paths>({ baseUrl: url });

  return {
    async stream() {
      const { data } = await client.POST("/work_slowly", {
        body: { total: 4 },
        headers: { Accept: "application/x-ndjson" },
        parseAs: "stream",
      });
      const percents: (number | null)[] = [];
      let last = "";
      const text = await new Response(data).text();
      for (const each of text.trim().split("\n")) {
        const line: Line = JSON.parse(each);
        last = line.type;
        if (line.type !== "chunk") continue;
        percents.push(line.data.percent);
        // @ts-expect-error: it is neither `any` nor text.
        const wrong: string = line.data.percent;
      }
      return { percents, last };
    },
    async value() {
      const { data } = await client.POST("/add", { body: { a: 1, b: 2 } });
      if (data?.status !== "completed" || !("runId" in data)) return null;
      const sum: number = data.result;
      return sum;
    },
    async refused() {
      // @ts-expect-error: the input has a type.
      const { error } = await client.POST("/add", { body: { a: "one", b: 2 } });
      return error?.error.code;
    },
  };
}
