/** What a client promises against a real server. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { createClient } from "../src/index.js";
import { Server } from "./support/server.js";

const server = new Server();
beforeAll(() => server.start());
afterAll(() => server.stop());

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test("a run is an iterable of its chunks and gathers text and result", async () => {
  const run = createClient({ url: server.url })["count"]!({ to: 3 });

  const chunks = await all(run);

  expect(chunks).toEqual(["1 ", "2 ", "3 "].map((text) => ({ type: "text", text })));
  expect([run.text, run.status, await run.result()]).toEqual(["1 2 3 ", "completed", 3]);
});
