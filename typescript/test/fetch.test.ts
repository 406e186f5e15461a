/** Reading with fetch, in a page that has more to do. */

import { afterEach, expect, test, vi } from "vitest";
import { byFetch } from "../src/transports/fetch.js";

const MIB = 1024 * 1024;
const request = { url: "/", method: "GET", headers: new Headers(), body: undefined, signal: undefined, credentials: undefined, onUpload: undefined };

/** Read what came at once, working at each piece; how large the largest was, and how often the page had its turn. */
async function read(workMs: number) {
  const answer = await byFetch(async () => new Response(new Uint8Array(MIB)))(request);
  const seen = { length: 0, largest: 0, turns: 0 };
  const timer = setInterval(() => (seen.turns += 1));
  for await (const piece of answer.pieces()) {
    seen.length += piece.length;
    seen.largest = Math.max(seen.largest, piece.length);
    for (const sinceMs = performance.now(); performance.now() - sinceMs < workMs; );
  }
  clearInterval(timer);
  return seen;
}

afterEach(() => vi.restoreAllMocks());

test("a page paints and answers while much is read that came at once", async () => {
  const { length, largest, turns } = await read(10);

  expect(length).toBe(MIB);
  expect(largest).toBeLessThan(MIB / 8);
  expect(turns).toBeGreaterThan(2);
});

test("a hidden page, which has nothing to paint and slow timers, is not waited for", async () => {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");

  const { length, turns } = await read(10);

  expect([length, turns]).toEqual([MIB, 0]);
});
