/**
 * Server-sent events as WHATWG HTML 9.2.6 reads them: pieces of text in, complete messages out.
 *
 * Linear in its input however the input is cut: the pieces of a line are joined once, when the line ends.
 * A message that the end of the input cuts off is discarded together with its id.
 */

import { protocolError } from "./error.js";

/** What an event stream dispatches. */
export interface Message {
  /** The last event id. */
  readonly id: string;
  /** `message` if the stream named no type. */
  readonly type: string;
  readonly data: string;
}

/** The maximum of characters in one message; the server's own limit for an event is far below. */
const LIMIT = 64 * 1024 * 1024;

/** Incremental decoder of one event stream. The text must include its byte order mark, if there is one. */
export class SSEDecoder {
  /** The newest `retry:`, if there was one. */
  declare retryMs: number | undefined;
  readonly #limit: number;
  #pieces: string[] = [];
  #isFirst = true;
  #afterCR = false;
  #id = "";
  #type = "";
  #data: string[] = [];
  #size = 0;

  constructor(limit: number = LIMIT) {
    this.#limit = limit;
  }

  /** Take text, return the messages that it completes. Throws `PROTOCOL_ERROR` if one is too large. */
  feed(text: string): Message[] {
    const messages: Message[] = [];
    // A piece's own text starts after the byte order mark, or after the LF of a CR LF that was cut in two.
    let start = (this.#isFirst && text[0] === "\uFEFF") || (this.#afterCR && text[0] === "\n") ? 1 : 0;
    if (text) this.#isFirst = this.#afterCR = false;
    const ending = /\r\n?|\n/g;
    for (;;) {
      ending.lastIndex = start;
      const found = ending.exec(text);
      const piece = text.slice(start, found?.index);
      this.#size += piece.length;
      if (this.#size > this.#limit) throw protocolError("An event is too long");
      if (piece) this.#pieces.push(piece);
      if (!found) return messages;
      this.#take(this.#pieces.splice(0).join(""), messages);
      start = ending.lastIndex;
      this.#afterCR = found[0] === "\r" && start === text.length;
    }
  }

  #take(line: string, messages: Message[]): void {
    if (!line) {
      if (this.#data.length) messages.push({ id: this.#id, type: this.#type || "message", data: this.#data.join("\n") });
      this.#type = "";
      this.#data = [];
      this.#size = 0;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (field === "data") this.#data.push(value);
    else this.#size -= line.length; // only data is kept until the message ends
    if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
  }
}
