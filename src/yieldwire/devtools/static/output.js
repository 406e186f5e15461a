/** The output of a run so far: progress, text, a value, its result or its error. Drawn once per browser frame. */

import { textOf } from "../client.js";
import { copyButton, el, show } from "./dom.js";
import { bytes, isEqual, isQuiet, progressLabel } from "./format.js";
import { mediaTypeOf } from "./media.js";
import { resolve } from "./schema.js";
import { ValueBox } from "./valuebox.js";

/**
 * @typedef {import("./schema.js").Schema} Schema
 * @typedef {import("../client.js").RunEvent} RunEvent
 * @typedef {{ chunk: Schema | null, result: Schema }} Described
 */

const TEXT_SHOWN = 200_000; // characters; older text is dropped from the page, not from the log
const PIECES = 10_000; // texts that wait for a frame; a hidden tab draws none

export class Output {
  #bar = el("progress", { max: "1", data: { role: "progress" }, "aria-label": "Progress" });
  #label = el("span", { class: "progress-label" });
  #message = el("span", { class: "progress-message", data: { role: "message" } });
  #progress = el(
    "div",
    { class: "progress", hidden: true },
    this.#bar,
    el("div", { class: "progress-words" }, this.#message, this.#label),
  );
  #sent = el("progress", { max: "1", data: { role: "upload" }, "aria-label": "Upload" });
  #sentLabel = el("span", { class: "progress-label" });
  #upload = el(
    "div",
    { class: "progress", hidden: true },
    this.#sent,
    el("div", { class: "progress-words" }, "Uploading", this.#sentLabel),
  );
  #text = el("div", {
    class: "text",
    data: { role: "text" },
    role: "group",
    tabindex: "0",
    "aria-label": "Text",
    hidden: true,
  });
  #cut = el("p", { class: "muted", hidden: true, text: "The beginning of the text is no longer on this page." });
  /** The text of an action whose chunks are Markdown. */
  #markdown = new ValueBox("Text", "markdown-text");
  #isMarkdown = false;
  /** @type {Described | undefined} */
  #action;
  #chunk = new ValueBox("Newest chunk", "chunk");
  #result = new ValueBox("Result", "result");
  #error = el("div", { class: "error", data: { role: "error" }, role: "alert", hidden: true });
  /** @type {string[]} */
  #newText = [];
  #waiting = 0;
  #length = 0;
  /** @type {any} */
  #latest = null;
  /** @type {any} */
  #folded;
  #isDue = false;

  constructor() {
    const values = [this.#markdown.element, this.#chunk.element, this.#result.element];
    const parts = [this.#error, this.#upload, this.#progress, this.#cut, this.#text, ...values];
    this.element = el("div", { class: "output" }, ...parts);
  }

  /** Take the types of what the run sends. @param {Described | undefined} action */
  describe(action) {
    if (action === this.#action) return;
    this.#action = action;
    const schema = markdownIn(action?.chunk ?? {}, action?.chunk ?? {});
    this.#isMarkdown = schema !== null;
    this.#markdown.describe(schema);
    this.#chunk.describe(action?.chunk ?? null);
    this.#result.describe(action?.result ?? null);
    if (this.#isMarkdown) this.#drawMarkdown();
  }

  /**
   * Take events in.
   * @param {readonly RunEvent[]} batch
   * @param {(seq: number) => readonly RunEvent[]} pastOf The events that count after the restart at this seq, of those before it.
   */
  add(batch, pastOf) {
    for (const event of batch) {
      if (event.type === "restarted") this.#restart(pastOf(event.seq));
      else this.#take(event);
    }
    if (this.#isDue || batch.length === 0) return;
    this.#isDue = true;
    requestAnimationFrame(() => this.#draw());
  }

  /** Show how much of the input was sent. @param {number} sentBytes @param {number} totalBytes */
  sent(sentBytes, totalBytes) {
    this.#upload.hidden = false;
    this.#sent.max = totalBytes;
    this.#sent.value = sentBytes;
    this.#sentLabel.textContent = `${bytes(sentBytes)} of ${bytes(totalBytes)}`;
  }

  /** The server has received the input. */
  hasArrived() {
    this.#upload.hidden = true;
  }

  /** Show the error that a run, or the attempt to read it, ended with. @param {any} error */
  error({ code, message, statusCode, retryable, fieldErrors, data, errorId, debug }) {
    const facts = [
      statusCode ? `status ${statusCode}` : null,
      retryable ? "retryable" : null,
      errorId ? `error id ${errorId}` : null,
    ];
    const fields = Object.entries(fieldErrors ?? {}).map(([path, messages]) =>
      el("li", {}, el("code", { text: path }), ` ${messages.join(" ")}`),
    );
    this.#error.replaceChildren(
      el("p", {}, el("strong", { class: "error-code", text: code }), " ", el("span", { text: message })),
      fields.length ? el("ul", {}, ...fields) : "",
      data === null || data === undefined ? "" : el("pre", { class: "code", text: JSON.stringify(data, null, 2) }),
      el("p", { class: "muted", text: facts.filter(Boolean).join(" · ") }),
      debug
        ? el(
            "div",
            { class: "labelled", data: { role: "debug" } },
            el(
              "h3",
              {},
              "Shown in development only",
              copyButton(() => debug.traceback),
            ),
            el("p", {}, el("strong", { class: "error-code", text: debug.type }), " ", debug.message),
            el("pre", { class: "code traceback", text: debug.traceback, tabindex: "0", "aria-label": "Traceback" }),
          )
        : "",
    );
    this.#error.classList.toggle("is-cancelled", code === "CANCELLED");
    this.#error.hidden = false;
    this.#progress.classList.add("is-ended");
    this.hasArrived();
  }

  /** Show what the run ended with. @param {unknown} value */
  result(value) {
    this.#progress.classList.add("is-ended");
    this.#result.set(value ?? undefined);
    if (isEqual(value, this.#folded)) this.#folded = undefined; // it is not shown twice
  }

  /** @param {readonly RunEvent[]} past */
  #restart(past) {
    this.#clear();
    for (const event of past) this.#take(event);
  }

  /** @param {RunEvent} event */
  #take({ type, data }) {
    if (type === "chunk") this.#takeChunk(data);
    else if (type === "done") this.result(data.result);
    else if (type === "error" || type === "cancelled") this.error(data);
  }

  /** @param {any} data */
  #takeChunk(data) {
    if (data?.type === "progress") this.#latest = data;
    else if (data?.type === "value") this.#folded = data.value;
    else if (data?.type === "append" && typeof this.#folded === "string") this.#grow(data.text);
    else if (textOf(data)) this.#append(textOf(data));
    else if (!isQuiet(data)) this.#folded = data;
  }

  /** @param {string} text */
  #grow(text) {
    this.#folded += text;
    if (this.#folded.length > 2 * TEXT_SHOWN) this.#folded = this.#folded.slice(-TEXT_SHOWN);
  }

  /** @param {string} text */
  #append(text) {
    this.#newText.push(text);
    this.#waiting += text.length;
    if (this.#newText.length <= PIECES && this.#waiting <= 2 * TEXT_SHOWN) return;
    this.#newText = [this.#joined()];
    this.#waiting = this.#newText[0]?.length ?? 0;
  }

  #joined() {
    return this.#newText.join("").slice(-TEXT_SHOWN);
  }

  #clear() {
    this.#newText = [];
    this.#waiting = 0;
    this.#length = 0;
    this.#latest = null;
    this.#folded = undefined;
    this.#text.replaceChildren();
    for (const part of [this.#text, this.#progress, this.#cut]) part.hidden = true;
    this.#chunk.set(undefined);
    this.#markdown.set(undefined);
  }

  #draw() {
    this.#isDue = false;
    if (this.#latest) this.#drawProgress(this.#latest);
    if (this.#newText.length) this.#drawText();
    this.#chunk.set(this.#folded);
  }

  /** @param {any} progress */
  #drawProgress(progress) {
    this.#progress.hidden = false;
    if (progress.total > 0) {
      this.#bar.max = progress.total;
      this.#bar.value = progress.current;
    } else this.#bar.removeAttribute("value");
    show(this.#label, progressLabel(progress));
    show(this.#message, progress.message);
  }

  #drawMarkdown() {
    this.#text.hidden = true;
    this.#markdown.set(this.#text.textContent || undefined);
  }

  #drawText() {
    const isAtEnd = this.#text.scrollHeight - this.#text.scrollTop - this.#text.clientHeight < 40;
    const added = this.#joined();
    this.#newText = [];
    this.#waiting = 0;
    this.#text.append(added);
    this.#text.hidden = false;
    this.#length += added.length;
    while (this.#length > TEXT_SHOWN && this.#text.childNodes.length > 1) {
      this.#length -= this.#text.firstChild?.textContent?.length ?? 0;
      this.#text.firstChild?.remove();
      this.#cut.hidden = false;
    }
    if (this.#isMarkdown) this.#drawMarkdown();
    if (isAtEnd) this.#text.scrollTop = this.#text.scrollHeight;
  }
}

/** The type of a chunk that is a text in Markdown, if there is one. @param {Schema} schema @param {Schema} root @returns {Schema | null} */
function markdownIn(schema, root) {
  const found = resolve(schema, root);
  if (mediaTypeOf(found) === "text/markdown") return schema;
  for (const member of found.anyOf ?? found.oneOf ?? []) if (markdownIn(member, root)) return resolve(member, root);
  return null;
}
