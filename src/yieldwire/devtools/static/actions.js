/** The list of actions, with search. */

import { hashOf } from "./address.js";
import { el } from "./dom.js";

/**
 * @typedef {import("./schema.js").Schema} Schema
 * @typedef {object} ActionInfo An action as the manifest describes it.
 * @property {string} name
 * @property {string} alias
 * @property {string | null} doc
 * @property {"GET" | "POST"} method
 * @property {boolean} streams
 * @property {Schema} input
 * @property {Schema | null} chunk
 * @property {Schema} result
 * @property {{ code: string, status: number | null, doc: string | null }[]} errors
 * @property {number | null} linger
 * @property {number | null} timeout
 * @property {boolean} shared
 */

export class ActionList {
  #entries;
  #onOpen;
  #search = el("input", {
    type: "search",
    id: "search",
    placeholder: "Search actions",
    "aria-label": "Search actions",
    autocomplete: "off",
  });
  #list = el("ul", { class: "actions" });
  #none = el("p", { class: "empty-note", hidden: true, text: "No action matches the search." });
  #found = el("p", { class: "off-screen", role: "status" });

  /**
   * @param {ActionInfo[]} actions
   * @param {(name: string) => void} onOpen Called with the action to open and focus.
   */
  constructor(actions, onOpen) {
    this.#onOpen = onOpen;
    this.#entries = actions.map((action) => ({ action, words: wordsOf(action), ...entry(action) }));
    this.#list.append(...this.#entries.map(({ item }) => item));
    const search = el("div", { class: "search" }, this.#search, el("kbd", { text: "/", "aria-hidden": "true" }));
    this.element = el("div", { class: "action-list" }, search, this.#list, this.#none, this.#found);
    this.#search.addEventListener("input", () => this.#filter());
    this.#search.addEventListener("keydown", (event) => this.#key(event));
    this.#list.addEventListener("keydown", (event) => this.#move(event));
  }

  focus() {
    this.#search.focus();
    this.#search.select();
  }

  /**
   * Show which action is open, and where its link leads.
   * @param {string | undefined} name
   * @param {string[]} runs
   */
  select(name, runs) {
    for (const { action, link } of this.#entries) {
      link.setAttribute("href", hashOf({ action: action.name, runs }));
      if (action.name === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  /**
   * The name of the action `by` places after another, among those that are shown.
   * @param {string | undefined} name
   * @param {number} by
   */
  neighbour(name, by) {
    const shown = this.#entries.filter(({ item }) => !item.hidden).map(({ action }) => action.name);
    return shown[Math.min(shown.length - 1, Math.max(0, shown.indexOf(name ?? "") + by))];
  }

  get #links() {
    return this.#entries.filter(({ item }) => !item.hidden).map(({ link }) => link);
  }

  #filter() {
    const words = this.#search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const entry of this.#entries) entry.item.hidden = !words.every((word) => entry.words.includes(word));
    const { length } = this.#links;
    this.#none.hidden = length > 0;
    this.#found.textContent = words.length ? `${length} found` : "";
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "Escape") {
      this.#search.value = "";
      this.#filter();
    } else if (event.key === "Enter" && this.#links[0]) this.#onOpen(this.#links[0].dataset.action ?? "");
    else if (event.key === "ArrowDown") this.#links[0]?.focus();
    else return;
    event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const links = this.#links;
    (links[links.findIndex((link) => link === document.activeElement) + step] ?? this.#search).focus();
  }
}

/** @param {ActionInfo} action */
const wordsOf = ({ name, alias, doc, input }) =>
  [name, name.replaceAll("_", " "), alias, doc, ...Object.keys(input?.properties ?? {})].join(" ").toLowerCase();

/** @param {ActionInfo} action */
function entry({ name, method, doc }) {
  const tag = method === "GET" && el("span", { class: "tag", text: "feed" });
  const [summary] = (doc ?? "").split("\n");
  const link = el(
    "a",
    { href: hashOf({ action: name, runs: [] }), data: { action: name } },
    el("span", { class: "action-name" }, name, tag),
    summary && el("span", { class: "action-doc", text: summary }),
  );
  return { link, item: el("li", {}, link) };
}
