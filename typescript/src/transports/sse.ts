import { Lost } from "../core/connection.js";
import { ActionError } from "../core/error.js";
import { type Frame, frameOf } from "../core/frame.js";
import { SSEDecoder } from "../core/sse.js";
import type { Answer } from "./carrier.js";

/**
 * The frames of a stream, as many at once as arrived at once; an empty batch is a keepalive or a part of a frame.
 * Throws `Lost` if the connection breaks, and `PROTOCOL_ERROR` if something else than a frame arrives.
 */
export async function* framesOf(answer: Answer): AsyncGenerator<readonly Frame[]> {
  const decoder = new SSEDecoder();
  let retryMs: number | undefined;
  try {
    for await (const piece of answer.pieces()) {
      const batch: Frame[] = [];
      try {
        for (const message of decoder.feed(piece)) batch.push(frameOf(message));
        if (decoder.retryMs !== retryMs) batch.push({ kind: "retry", retryMs: (retryMs = decoder.retryMs as number) });
      } finally {
        yield batch; // frames completed before an error count
      }
    }
  } catch (reason) {
    throw reason instanceof ActionError ? reason : Lost.by(reason);
  }
}
