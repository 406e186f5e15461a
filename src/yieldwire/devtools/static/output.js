/** What a run has given so far: progress, text, a value, its result or its error. */

import { textOf } from "../client.js";
import { copyButton, el, show } from "./dom.js";
import { brief, progressLabel } from "./format.js";

const TEXT_SHOWN = 200_000; // characters; what came before is dropped from the page, not from the log

export class Output {
  #bar = el("progress", { max: 1, data: { role: "progress" }, "aria-label": "Progress" });
  #label = el("span", { class: "progress-label" });
  #message = el("span", { class: "progress-message", data: { role: "message" } });
  #progress = el(
    "div",
    { class: "progress", hidden: true },
    this.#bar,
    el("div", { class: "progress-words" }, this.#message, this.#label),
  );
  #text = el("div", { class: "text", data: { role: "text" }, tabindex: "0", "aria-label": "Text", hidden: true });
  #cut = el("p", { class: "muted", hidden: true, text: "The beginning of the text is no longer on this page." });
  #value = el("pre", { class: "code", data: { role: "chunk" } });
  #valueBox = el("div", { class: "labelled", hidden: true }, el("h4", { text: "Newest chunk" }), this.#value);
  #result = el("pre", { class: "code", data: { role: "result" }, tabindex: "0", "aria-label": "Result" });
  #resultBox = el(
    "div",
    { class: "labelled result", hidden: true },
    el(
      "h4",
      {},
      "Result",
      copyButton(() => this.#result.textContent),
    ),
    this.#result,
  );
  #error = el("div", { class: "error", data: { role: "error" }, role: "alert", hidden: true });
  #newText = [];
  #length = 0;
  #latest = null;
  #folded;
  #isDue = false;

  constructor() {
    this.element = el(
      "div",
      { class: "output" },
      this.#error,
      this.#progress,
      this.#cut,
      this.#text,
      this.#valueBox,
      this.#resultBox,
    );
  }

  /** Take an event in; it is drawn with the next frame. */
  add({ type, data }) {
    if (type === "chunk") this.#chunk(data);
    else if (type === "restarted") this.#clear();
    else if (type === "done") this.#end(data?.result);
    else this.error(data);
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => this.#draw());
  }

  /** Show the error that a run, or the attempt to read it, ended with. */
  error({ code, message, statusCode, retryable, fieldErrors, data, errorId }) {
    const facts = [
      statusCode ? `status ${statusCode}` : null,
      retryable ? "worth repeating" : null,
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
    );
    this.#error.classList.toggle("is-cancelled", code === "CANCELLED");
    this.#error.hidden = false;
    this.#progress.classList.add("is-ended");
  }

  /** The result, where only the snapshot still has it. */
  result(value) {
    this.#end(value);
  }

  #chunk(data) {
    if (data?.type === "progress") this.#latest = data;
    else if (data?.type === "value") this.#folded = data.value;
    else if (data?.type === "append" && typeof this.#folded === "string") this.#folded += data.text;
    else if (textOf(data)) this.#newText.push(textOf(data));
    else this.#folded = data;
  }

  #clear() {
    this.#newText = [];
    this.#length = 0;
    this.#latest = null;
    this.#folded = undefined;
    this.#text.replaceChildren();
    for (const part of [this.#text, this.#progress, this.#valueBox, this.#cut]) part.hidden = true;
  }

  #end(result) {
    this.#progress.classList.add("is-ended");
    if (result === undefined || result === null) return;
    this.#result.textContent = typeof result === "string" ? result : JSON.stringify(result, null, 2);
    this.#resultBox.hidden = false;
  }

  #draw() {
    this.#isDue = false;
    if (this.#latest) this.#drawProgress(this.#latest);
    if (this.#newText.length) this.#drawText();
    this.#valueBox.hidden = this.#folded === undefined;
    if (this.#folded === undefined) return;
    const isText = typeof this.#folded === "string";
    this.#value.textContent = isText
      ? this.#folded.slice(-TEXT_SHOWN)
      : brief(JSON.stringify(this.#folded, null, 2), TEXT_SHOWN);
  }

  #drawProgress(progress) {
    this.#progress.hidden = false;
    const isKnown = progress.total > 0;
    if (isKnown) {
      this.#bar.max = progress.total;
      this.#bar.value = progress.current;
    } else this.#bar.removeAttribute("value");
    this.#label.textContent = progressLabel(progress);
    show(this.#message, progress.message);
  }

  #drawText() {
    const isAtEnd = this.#text.scrollHeight - this.#text.scrollTop - this.#text.clientHeight < 40;
    const added = this.#newText.join("").slice(-TEXT_SHOWN);
    this.#newText = [];
    this.#text.append(added);
    this.#text.hidden = false;
    this.#length += added.length;
    while (this.#length > TEXT_SHOWN && this.#text.childNodes.length > 1) {
      this.#length -= this.#text.firstChild.length;
      this.#text.firstChild.remove();
      this.#cut.hidden = false;
    }
    if (isAtEnd) this.#text.scrollTop = this.#text.scrollHeight;
  }
}
