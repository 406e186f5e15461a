import { Lost } from "../core/connection.js";
import { ActionError } from "../core/error.js";
import { type Frame, frameOf } from "../core/frame.js";
import { SSEDecoder } from "../core/sse.js";
import type { Answer } from "./carrier.js";

/**
 * The frames of a stream, as many at once as arrived at once; an empty batch is a keepalive or a part of a frame.
 * `onRetry` is told how long to wait before reconnecting.
 * Throws `Lost` if the connection breaks, and `PROTOCOL_ERROR` if something else than a frame arrives.
 */
export async function* framesOf(answer: Answer, onRetry: (ms: number) => void): AsyncGenerator<readonly Frame[]> {
  const decoder = new SSEDecoder();
  try {
    for await (const piece of answer.pieces()) {
      const batch: Frame[] = [];
      try {
        for (const message of decoder.feed(piece)) batch.push(frameOf(message));
        if (decoder.retryMs !== undefined) onRetry(decoder.retryMs);
      } finally {
        yield batch; // frames completed before an error count
      }
    }
  } catch (reason) {
    throw reason instanceof ActionError ? reason : Lost.by(reason);
  }
}
