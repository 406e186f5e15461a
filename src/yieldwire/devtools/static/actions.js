/** The list of actions, with search. */

import { el } from "./dom.js";

export class ActionList {
  #entries = [];
  #search = el("input", {
    type: "search",
    id: "search",
    placeholder: "Search actions",
    "aria-label": "Search actions",
    autocomplete: "off",
  });
  #list = el("ul", { class: "actions" });
  #none = el("p", { class: "empty-note", hidden: true, text: "No action has this in its name or its docs." });

  constructor(actions) {
    this.#entries = actions.map((action) => ({
      action,
      words: `${action.name} ${action.alias ?? ""} ${action.doc ?? ""}`.toLowerCase(),
      item: entry(action),
    }));
    this.#list.append(...this.#entries.map(({ item }) => item));
    this.element = el(
      "div",
      { class: "action-list" },
      el("div", { class: "search" }, this.#search, el("kbd", { text: "/" })),
      this.#list,
      this.#none,
    );
    this.#search.addEventListener("input", () => this.#filter());
    this.#search.addEventListener("keydown", (event) => this.#key(event));
    this.#list.addEventListener("keydown", (event) => this.#move(event));
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, textarea, select"))
        return;
      event.preventDefault();
      this.#search.focus();
    });
  }

  select(name) {
    for (const { action, item } of this.#entries) {
      if (action.name === name) item.firstChild.setAttribute("aria-current", "page");
      else item.firstChild.removeAttribute("aria-current");
    }
  }

  get #shown() {
    return this.#entries.filter(({ item }) => !item.hidden).map(({ item }) => item.firstChild);
  }

  #filter() {
    const words = this.#search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const entry of this.#entries) entry.item.hidden = !words.every((word) => entry.words.includes(word));
    this.#none.hidden = this.#shown.length > 0;
  }

  #key(event) {
    if (event.key === "Escape") {
      this.#search.value = "";
      this.#filter();
    } else if (event.key === "Enter") this.#shown[0]?.click();
    else if (event.key === "ArrowDown") this.#shown[0]?.focus();
    else return;
    event.preventDefault();
  }

  #move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const links = this.#shown;
    (links[links.indexOf(document.activeElement) + step] ?? this.#search).focus();
  }
}

function entry(action) {
  const name = el(
    "span",
    { class: "action-name" },
    action.name,
    action.method === "GET" ? el("span", { class: "tag", text: "feed" }) : null,
  );
  const [summary] = (action.doc ?? "").split("\n");
  const doc = summary ? el("span", { class: "action-doc", text: summary }) : null;
  return el(
    "li",
    {},
    el("a", { href: `#/action/${encodeURIComponent(action.name)}`, data: { action: action.name } }, name, doc),
  );
}
