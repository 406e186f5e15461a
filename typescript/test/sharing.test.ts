/** Sharing between the tabs of one origin, in surroundings where tabs are objects of one process. */

import { afterEach, describe, expect, test, vi } from "vitest";
import { shareStreams } from "../src/sharing.js";
import { chunk, done, OPENING } from "./support/script.js";
import { until } from "./support/until.js";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const EVENTS = "http://test/api/runs/r1/events";
const TYPE = { headers: { "Content-Type": "text/event-stream" } };
const from = (cursor: string): RequestInit => ({ headers: { "Last-Event-ID": cursor } });

test("a page that cannot use locks has its own connection", async () => {
  const refused = () => Promise.reject(new DOMException("Not here.", "SecurityError"));
  vi.stubGlobal("navigator", { locks: { request: refused } });
  const fetch = shareStreams({ fetch: async () => new Response(OPENING + done(1), TYPE) });

  const response = await fetch(EVENTS, from("r1.0"));

  expect(await response.text()).toContain("event: done");
});

describe("a tab that gets nothing from the one that has the lock", () => {
  /** Locks that another tab has; whether they were taken from it, and how that is undone. */
  function lockedOut() {
    const taken = { isTaken: false, takeBack: (): void => undefined };
    const request = (_: string, options: LockOptions, hold: (lock: Lock | null) => unknown): Promise<unknown> => {
      if (options.ifAvailable) return Promise.resolve(hold(null));
      if (!options.steal) return new Promise((_, reject) => options.signal?.addEventListener("abort", () => reject(options.signal?.reason)));
      taken.isTaken = true;
      void hold({} as Lock);
      return new Promise((_, reject) => (taken.takeBack = () => reject(new DOMException("Stolen.", "AbortError"))));
    };
    vi.stubGlobal("navigator", { locks: { request } });
    return taken;
  }
  const answer = async (input: RequestInfo | URL): Promise<Response> =>
    String(input) === EVENTS
      ? new Response(OPENING + chunk(1, "a") + chunk(2, "b") + done(3), TYPE)
      : Response.json({ events: [{ seq: 1, type: "chunk", data: "a" }], firstSeq: 1, retryAfterMs: 500 });

  // A row of "What happens when" in the docs.
  test("takes the lock after a few seconds and reads on, as that tab is suspended", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const taken = lockedOut();
    const response = await shareStreams({ fetch: answer })(EVENTS, from("r1.0"));

    vi.advanceTimersByTime(2000);
    const wasTakenEarly = taken.isTaken;
    vi.advanceTimersByTime(1000);

    const text = await response.text();
    expect([wasTakenEarly, taken.isTaken]).toEqual([false, true]);
    expect([...text.matchAll(/^data: "(.)"$/gm)].map(([, data]) => data)).toEqual(["a", "b"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("leaves the lock to it for as long as it shows a sign of life", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const taken = lockedOut();
    const stop = new AbortController();
    const reader = new BroadcastChannel(`yieldwire ${EVENTS}`);
    let asked = 0;
    reader.onmessage = ({ data }) => void (data === "ask" && (asked++, reader.postMessage("here")));
    await shareStreams({ fetch: answer })(EVENTS, { ...from("r1.0"), signal: stop.signal });

    for (let second = 1; second <= 10; second++) {
      vi.advanceTimersByTime(1000);
      await until(() => asked === second);
      await new Promise((resolve) => setTimeout(resolve, 5)); // until the answer has come
    }
    stop.abort();
    vi.advanceTimersByTime(10_000);

    reader.close();
    expect([asked, taken.isTaken]).toEqual([10, false]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("gives its stream up when the lock is taken from it, so that its client follows the others", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const taken = lockedOut();
    const open = async (input: RequestInfo | URL): Promise<Response> =>
      String(input) === EVENTS ? new Response(new ReadableStream({ start: (out) => out.enqueue(new TextEncoder().encode(OPENING)) }), TYPE) : answer(input);
    const response = await shareStreams({ fetch: open })(EVENTS, from("r1.0"));
    vi.advanceTimersByTime(3000);
    await until(() => taken.isTaken);

    taken.takeBack();

    await expect(response.text()).rejects.toMatchObject({ name: "AbortError" });
  });
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
