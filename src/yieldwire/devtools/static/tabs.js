/** Tabs with code: one is shown, and can be copied. */

import { copyButton, el } from "./dom.js";

export class Tabs {
  #label;
  #code = el("code", { class: "curl-text", data: { role: "snippet" } });
  #panel = el("pre", { class: "curl", role: "tabpanel", tabindex: "0" }, this.#code);
  #tabs;
  /** @type {Record<string, string>} */
  #texts = {};
  #chosen;

  /** @param {string} label @param {string[]} names */
  constructor(label, names) {
    this.#label = label;
    this.#chosen = names[0] ?? "";
    this.#tabs = names.map((name) =>
      el("button", { type: "button", class: "tab", role: "tab", text: name, data: { tab: name } }),
    );
    const list = el("div", { class: "tabs", role: "tablist", "aria-label": label }, ...this.#tabs);
    const copy = copyButton(() => this.#texts[this.#chosen] ?? "");
    this.element = el("div", { class: "snippets" }, el("div", { class: "snippets-head" }, list, copy), this.#panel);
    list.addEventListener(
      "click",
      ({ target }) => target instanceof HTMLElement && target.dataset.tab && this.#choose(target.dataset.tab),
    );
    list.addEventListener("keydown", (event) => this.#key(event));
    this.#choose(this.#chosen);
  }

  /** @param {Record<string, string>} texts */
  set(texts) {
    this.#texts = texts;
    this.#code.textContent = texts[this.#chosen] ?? "";
  }

  /** @param {string} name */
  #choose(name) {
    this.#chosen = name;
    for (const tab of this.#tabs) {
      const isChosen = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
    }
    this.#panel.setAttribute("aria-label", `${this.#label} ${name}`);
    this.#code.textContent = this.#texts[name] ?? "";
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const at = this.#tabs.findIndex((tab) => tab.dataset.tab === this.#chosen);
    const next = this.#tabs.at((at + step) % this.#tabs.length);
    this.#choose(next?.dataset.tab ?? "");
    next?.focus();
  }
}
