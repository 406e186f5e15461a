/** How to follow a run from a terminal. */

import { copyButton, el } from "./dom.js";

export class TerminalBox {
  #code = el("code", { class: "curl-text" });

  element = el(
    "details",
    { class: "tail", hidden: true },
    el("summary", { text: "Follow it from a terminal" }),
    el(
      "div",
      { class: "curl-box" },
      el("pre", { class: "curl", tabindex: "0", "aria-label": "curl" }, this.#code),
      copyButton(() => this.#code.textContent ?? ""),
    ),
  );

  /** @param {string} command */
  show(command) {
    this.element.hidden = false;
    if (this.#code.textContent !== command) this.#code.textContent = command;
  }
}
