/** Sharing between the tabs of one origin, in surroundings where tabs are objects of one process. */

import { afterEach, expect, test, vi } from "vitest";
import { shareStreams } from "../src/sharing.js";
import { done, OPENING } from "./support/script.js";

afterEach(() => vi.unstubAllGlobals());

const EVENTS = "http://test/api/runs/r1/events";
const TYPE = { headers: { "Content-Type": "text/event-stream" } };
const from = (cursor: string): RequestInit => ({ headers: { "Last-Event-ID": cursor } });

test("a page that may have no locks has a connection of its own", async () => {
  const refused = () => Promise.reject(new DOMException("Not here.", "SecurityError"));
  vi.stubGlobal("navigator", { locks: { request: refused } });
  const fetch = shareStreams({ fetch: async () => new Response(OPENING + done(1), TYPE) });

  const response = await fetch(EVENTS, from("r1.0"));

  expect(await response.text()).toContain("event: done");
});

test("a tab asks for what it has missed when another reads on behind it", async () => {
  const request = async (_: string, options: LockOptions, hold: (lock: Lock | null) => unknown): Promise<unknown> =>
    options.ifAvailable ? hold(null) : new Promise(() => undefined); // another tab has it
  vi.stubGlobal("navigator", { locks: { request } });
  const said = ["a", "b", "c"].map((data, n) => ({ seq: n + 1, type: "chunk", data }));
  let known = 1;
  const poll = async (input: RequestInfo | URL): Promise<Response> => {
    const after = Number(/\.(\d+)$/.exec(String(input))![1]);
    return Response.json({ events: said.slice(after, known), firstSeq: 1, retryAfterMs: 500 });
  };
  const fetch = shareStreams({ fetch: poll });
  const reader = new BroadcastChannel(`yieldwire ${EVENTS}`);
  const response = await fetch(EVENTS, from("r1.0"));
  known = 3;

  reader.postMessage([{ id: "r1.2", type: "run", data: '{"id":"r1","status":"running"}' }]);
  reader.postMessage([{ id: "r1.3", type: "message", data: '"c"' }, { id: "r1.4", type: "done", data: "{}" }]);

  const text = await response.text();
  reader.close();
  expect([...text.matchAll(/^data: "(.)"$/gm)].map(([, data]) => data)).toEqual(["a", "b", "c"]);
});
