/** What a run survives: real servers that are killed, a real proxy that cuts. */

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Action } from "../src/index.js";
import { createClient } from "../src/index.js";
import { all } from "./support/events.js";
import { type Fault, Proxy } from "./support/proxy.js";
import { Server } from "./support/server.js";

interface Actions {
  count: Action<{ to: number; pause?: number; name?: string }, { type: "text"; text: string }, number>;
  again: Action<{ to: number; pause?: number }, unknown, number>;
  started: Action<{ name: string }, never, number>;
  slow: Action<{ wait: number }, unknown, string>;
}

const newStore = (): string => `sqlite:///${join(mkdtempSync(join(tmpdir(), "yieldwire-")), "runs.db")}`;

async function serve(store?: string): Promise<Server> {
  const server = await new Server(store).start();
  onTestFinished(() => server.stop());
  return server;
}

async function through(server: Server, script?: (connection: number, request: string) => Fault): Promise<Proxy> {
  const proxy = await new Proxy(server.port, script).start();
  onTestFinished(() => proxy.stop());
  return proxy;
}

test("a run that may be repeated reaches its end over a server that was killed and started again", async () => {
  const server = await serve(newStore());
  const run = createClient<Actions>({ url: server.url }).again({ to: 20 });

  const seen: string[] = [];
  for await (const { type } of run.events()) {
    seen.push(type);
    if (seen.length === 5) await server.kill().then(() => server.start());
  }

  expect(seen.filter((type) => type === "restarted")).toHaveLength(1);
  expect([run.text, run.attempt, await run.result()]).toEqual([Array.from({ length: 20 }, (_, n) => `${n + 1} `).join(""), 2, 20]);
});

test("a run that may not be repeated ends as interrupted when its server was killed", async () => {
  const server = await serve(newStore());
  const run = createClient<Actions>({ url: server.url }).count({ to: 100, pause: 0.05 });

  for await (const _ of run) if (run.text.length > 5) break;
  await server.kill().then(() => server.start());

  await expect(run.result()).rejects.toMatchObject({ code: "INTERRUPTED", runId: run.id });
  expect(run.status).toBe("failed");
});
