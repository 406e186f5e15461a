/** Bytes as they arrive: in slices. */

import { byFetch } from "../../src/transports/fetch.js";

/** The text of bytes that arrive in these slices, piece by piece, as a stream hands it to its decoder. */
export async function* textOf(slices: readonly Uint8Array[]): AsyncGenerator<string> {
  const left = [...slices];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = left.shift();
      if (next) controller.enqueue(next);
      else controller.close();
    },
  });
  const carry = byFetch(async () => new Response(body));
  const nothing = { body: undefined, signal: undefined, credentials: undefined, onUpload: undefined };
  const answer = await carry({ url: "http://test/", method: "GET", headers: new Headers(), ...nothing });
  yield* answer.pieces();
}

/** Bytes whole, cut in two at every place, and byte by byte. */
export function* slicingsOf(bytes: Uint8Array): Generator<Uint8Array[]> {
  yield [bytes];
  for (let cut = 1; cut < bytes.length; cut++) yield [bytes.subarray(0, cut), bytes.subarray(cut)];
  yield Array.from(bytes, (_, place) => bytes.subarray(place, place + 1));
}

/** Bytes cut at these places. */
export function slicesOf(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.filter((cut) => cut <= bytes.length).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}
