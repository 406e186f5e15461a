/** Newline-delimited JSON: pieces of text in, whole frames out. Linear however the text is cut. */

import { type Frame, frameOfLine } from "./frame.js";

/** Incremental decoder of one answer. A line that the end of the input cuts off is discarded. */
export class NDJSONDecoder {
  #pieces: string[] = [];

  /** Take text, return the frames that it completes. Throws `PROTOCOL_ERROR` if a line is not a frame. */
  feed(text: string): Frame[] {
    const frames: Frame[] = [];
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      this.#pieces.push(text.slice(start, end));
      const line = this.#pieces.join("").trim(); // a keepalive is a space before a line's value
      this.#pieces = [];
      if (line) frames.push(frameOfLine(line));
      start = end + 1;
    }
    if (start < text.length) this.#pieces.push(text.slice(start));
    return frames;
  }
}
