/** The golden transcripts of `conformance/sse.json`, run by the browser client's decoder. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { SSEDecoder } from "../../src/yieldwire/asgi/static/client.js";

const { decode } = JSON.parse(readFileSync(new URL("../../conformance/sse.json", import.meta.url), "utf-8"));

/** The bytes whole, cut at every place, and byte by byte. */
function* slicings(bytes) {
  yield [bytes];
  for (let cut = 1; cut < bytes.length; cut++) yield [bytes.subarray(0, cut), bytes.subarray(cut)];
  yield Array.from(bytes, (_, place) => bytes.subarray(place, place + 1));
}

for (const { name, text, messages, retryMs } of decode) {
  test(`${name}, however it is cut`, () => {
    for (const pieces of slicings(new TextEncoder().encode(text.join("")))) {
      const decoder = new SSEDecoder();

      const frames = pieces.flatMap((piece) => decoder.feed(piece));

      assert.deepEqual(frames, messages);
      assert.equal(decoder.retryMs, retryMs ?? null);
    }
  });
}

/** A native frame as the event that it carries; what opens or resets a stream carries none. */
const eventOf = ({ id, type, data }) =>
  type === "run" || type === "reset"
    ? []
    : [{ seq: Number(id.slice(id.lastIndexOf(".") + 1)), type: type === "message" ? "chunk" : type, data: JSON.parse(data) }];

for (const { name, text, events } of decode.filter((each) => each.events)) {
  test(`${name}: the frames are these events`, () => {
    const frames = new SSEDecoder().feed(new TextEncoder().encode(text.join("")));

    assert.deepEqual(frames.flatMap(eventOf), events);
  });
}
