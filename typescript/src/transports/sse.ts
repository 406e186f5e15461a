import { type Frame, frameOf } from "../core/frame.js";
import { SSEDecoder } from "../core/sse.js";
import type { Answer } from "./carrier.js";

/** The frames of a stream, as many at once as came at once; an empty batch is a keepalive or a part of a frame. */
export async function* framesOf(answer: Answer): AsyncGenerator<readonly Frame[]> {
  const decoder = new SSEDecoder();
  let retryMs: number | undefined;
  for await (const piece of answer.pieces()) {
    const batch: Frame[] = [];
    try {
      for (const message of decoder.feed(piece)) batch.push(frameOf(message));
    } catch (reason) {
      yield batch; // what came whole before it counts
      throw reason;
    }
    if (decoder.retryMs !== undefined && decoder.retryMs !== retryMs) {
      retryMs = decoder.retryMs;
      batch.push({ kind: "retry", retryMs });
    }
    yield batch;
  }
}
