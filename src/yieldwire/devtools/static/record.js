/** What a run was started with: its owner, its labels, its input. */

import { hashOfRun } from "./address.js";
import { copyButton, el, show } from "./dom.js";
import { shortId } from "./format.js";

/**
 * @typedef {object} RunFacts What the server's own record says about a run.
 * @property {string | null} [owner]
 * @property {readonly string[]} [labels]
 * @property {string | null} [parent]
 * @property {string} [brief] The beginning of the input.
 * @property {Record<string, unknown>} [input]
 * @property {Blocked | null} [blocked]
 *
 * @typedef {{ count: number, ms: number, place: string, line: string }} Blocked
 */

/** @param {readonly string[]} labels */
export const labelsOf = (labels) => labels.map((text) => el("span", { class: "label", text, title: text }));

/** A link to the run whose action started another one. @param {string} id */
export const parentOf = (id) =>
  el("a", { class: "parent", href: hashOfRun(id), text: `child of ${shortId(id)}`, title: id });

export class RunRecord {
  /** @type {Record<string, unknown> | undefined} */
  #input;
  #load;
  #owner = el("span", { class: "owner", title: "The run's owner", hidden: true });
  #labels = el("span", { class: "marks", "aria-label": "Labels", role: "group", hidden: true });
  #parent = el("span", { hidden: true });
  #brief = el("code", { class: "brief" });
  #whole = el("pre", { class: "code", tabindex: "0", "aria-label": "Input", data: { role: "input" } });

  /** The owner and the labels, for the run's head. */
  head = el("div", { class: "panel-record marks", hidden: true }, this.#owner, this.#parent, this.#labels);

  /** A mistake that the server has seen, for the run's reader. */
  warning = el("p", { class: "trouble", data: { role: "blocked" }, hidden: true });

  /**
   * @param {object} options
   * @param {Record<string, unknown> | undefined} options.input What this page has started the run with.
   * @param {() => Promise<RunFacts>} options.load
   * @param {() => void} options.onEdit
   */
  constructor({ input, load, onEdit }) {
    this.#load = load;
    const edit = el("button", { type: "button", class: "quiet", text: "Edit in the form", on: { click: onEdit } });
    const verbs = el("span", { class: "input-verbs" }, edit, copyButton(() => this.#whole.textContent ?? ""));
    this.element = el(
      "details",
      { class: "tail", hidden: true },
      el("summary", {}, "Input ", this.#brief),
      el("div", { class: "input-box" }, verbs, this.#whole),
    );
    this.element.addEventListener("toggle", () => void this.input().catch(() => {}));
    if (input) this.#set(input);
  }

  /** The whole input, from this page or from the server. @returns {Promise<Record<string, unknown>>} */
  async input() {
    if (!this.#input) this.take(await this.#load());
    return this.#input ?? {};
  }

  /** @param {RunFacts} facts */
  take({ owner, labels, parent, brief, input, blocked }) {
    if (blocked) show(this.warning, warningOf(blocked));
    if (input && !this.#input) this.#set(input);
    else if (brief !== undefined && !this.#input) this.#show(brief);
    if (owner !== undefined) show(this.#owner, owner);
    if (labels && labels.length !== this.#labels.children.length) this.#labels.replaceChildren(...labelsOf(labels));
    this.#labels.hidden = this.#labels.children.length === 0;
    if (parent && this.#parent.hidden) this.#parent.replaceChildren(parentOf(parent));
    this.#parent.hidden = this.#parent.children.length === 0;
    this.head.hidden = this.#owner.hidden && this.#parent.hidden && this.#labels.hidden;
  }

  /** @param {Record<string, unknown>} input */
  #set(input) {
    this.#input = input;
    this.#whole.textContent = JSON.stringify(input, (_, value) => (value instanceof File ? value.name : value), 2);
    this.#show(JSON.stringify(input, (_, value) => (value instanceof File ? value.name : value)));
  }

  /** @param {string} brief */
  #show(brief) {
    this.#brief.textContent = brief.slice(0, 300);
    this.element.hidden = brief === "{}";
  }
}

/** @param {Blocked} blocked */
function warningOf({ count, ms, place, line }) {
  const times = count > 1 ? `${count} times, for up to ${ms} ms,` : `for ${ms} ms`;
  return `Blocked the event loop ${times} at ${place}: ${line}\nNothing else runs meanwhile. Await instead, or declare the action with def: it then runs in a thread.`;
}
