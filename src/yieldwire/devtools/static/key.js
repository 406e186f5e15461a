/** Keyboard shortcuts for the whole page, except in text fields, and the list of them. */

import { el, ICONS, iconButton, isTyping } from "./dom.js";

/**
 * @typedef {{ key: string, text: string, press?: () => void }} Binding One without `press` works in its own place, and is listed here.
 */

export class Keys {
  #bindings;
  #dialog;

  /** @param {Binding[]} bindings */
  constructor(bindings) {
    this.#bindings = bindings;
    const rows = [
      ...bindings,
      { key: "?", text: "Show or hide this list" },
      { key: "Esc", text: "Close what is open" },
    ];
    const list = rows.map(({ key, text }) =>
      el("div", {}, el("dt", {}, ...key.split(" ").map((one) => el("kbd", { text: one }))), el("dd", { text })),
    );
    const close = iconButton(ICONS.close, "Close", () => this.#dialog.close());
    const head = el("div", { class: "section-head" }, el("h2", { id: "keys-title", text: "Keys" }), close);
    this.#dialog = el(
      "dialog",
      { id: "keys", "aria-labelledby": "keys-title" },
      head,
      el("dl", { class: "keys-list" }, ...list),
    );
    this.#dialog.addEventListener("click", ({ target }) => target === this.#dialog && this.#dialog.close());
    document.body.append(this.#dialog);
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  toggle() {
    if (this.#dialog.open) this.#dialog.close();
    else this.#dialog.showModal();
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
    if (event.key === "?") this.toggle();
    else if (this.#dialog.open) return;
    else {
      const press = this.#bindings.find(({ key }) => key === event.key)?.press;
      if (!press) return;
      press();
    }
    event.preventDefault();
  }
}
