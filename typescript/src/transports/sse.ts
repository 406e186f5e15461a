import { Lost } from "../core/connection.js";
import { ActionError } from "../core/error.js";
import { type Frame, frameOf } from "../core/frame.js";
import { SSEDecoder } from "../core/sse.js";
import type { Answer } from "./carrier.js";

/**
 * The frames of a stream, as many at once as came at once; an empty batch is a keepalive or a part of a frame.
 * Throws `Lost` where the connection breaks, and `PROTOCOL_ERROR` where what comes is no frame.
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
        yield batch; // what came whole before a fault counts
      }
    }
  } catch (reason) {
    throw reason instanceof ActionError ? reason : Lost.by(reason, "The connection was lost");
  }
}
