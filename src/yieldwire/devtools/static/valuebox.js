/** A value under its heading: as its schema says that it is meant, or as JSON. */

import { copyButton, el } from "./dom.js";
import { brief } from "./format.js";
import { viewOf } from "./view.js";

/** @typedef {import("./schema.js").Schema} Schema */

const SHOWN = 200_000; // characters
const PACE_MS = 200; // a view is built again at most this often

export class ValueBox {
  #text;
  #view = el("div", { class: "view", data: { role: "view" } });
  #mode = el("button", { type: "button", class: "quiet" });
  /** @type {any} */
  #value;
  /** @type {Schema | null} */
  #schema = null;
  #isJson = false;
  #isDue = false;
  #timer = 0;

  /** @param {string} title @param {string} role */
  constructor(title, role) {
    this.#text = el("pre", { class: "code", data: { role }, tabindex: "0", "aria-label": title });
    const verbs = el("span", { class: "value-verbs" }, this.#mode, copyButton(() => this.#whole));
    const head = el("h3", {}, title, verbs);
    this.element = el("div", { class: `labelled ${role}`, hidden: true }, head, this.#view, this.#text);
    this.#mode.addEventListener("click", () => {
      this.#isJson = !this.#isJson;
      this.#draw();
      this.#mode.focus();
    });
  }

  /** @param {Schema | null} schema */
  describe(schema) {
    if (schema === this.#schema) return;
    this.#schema = schema;
    this.#drawSoon();
  }

  /** Show a value; undefined is none. @param {unknown} value */
  set(value) {
    this.element.hidden = value === undefined;
    if (value === this.#value) return;
    this.#value = value;
    this.#text.textContent = typeof value === "string" ? value.slice(-SHOWN) : brief(this.#whole, SHOWN);
    this.#drawSoon();
  }

  get #whole() {
    return typeof this.#value === "string" ? this.#value : (JSON.stringify(this.#value, null, 2) ?? "");
  }

  #drawSoon() {
    this.#isDue = true;
    if (this.#timer) return;
    this.#draw();
    this.#timer = window.setTimeout(() => {
      this.#timer = 0;
      if (this.#isDue) this.#drawSoon();
    }, PACE_MS);
  }

  #draw() {
    this.#isDue = false;
    const view = this.#schema && this.#value !== undefined ? viewOf(this.#value, this.#schema) : null;
    this.#view.replaceChildren(...(view ? [view] : []));
    this.#mode.hidden = view === null;
    this.#mode.textContent = this.#isJson ? "Show as page" : "Show as JSON";
    this.#view.hidden = view === null || this.#isJson;
    this.#text.hidden = !this.#view.hidden;
  }
}
