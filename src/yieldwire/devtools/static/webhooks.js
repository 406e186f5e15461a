/** The webhooks of a run that their receivers have not confirmed: those that wait, and those that were given up. */

import { el } from "./dom.js";
import { duration } from "./format.js";

/**
 * @typedef {object} Outstanding
 * @property {string} type
 * @property {string} url
 * @property {number} tries
 * @property {string | null} failure
 * @property {number | null} againIn Seconds until the next try; null: it was given up.
 */

const PAUSE_MS = 2000;

export class Webhooks {
  #load;
  #state = "";
  #timer = 0;
  #brief = el("span", { class: "brief" });
  #list = el("ul", { class: "webhooks" });
  #retry = el("button", { type: "button", class: "quiet", text: "Send now", hidden: true });

  /**
   * @param {object} options
   * @param {() => Promise<readonly Outstanding[]>} options.load
   * @param {() => Promise<unknown>} options.retry Send all of them now.
   */
  constructor({ load, retry }) {
    this.#load = load;
    const verbs = el("div", { class: "input-verbs" }, this.#retry);
    const summary = el("summary", {}, "Webhooks ", this.#brief);
    this.element = el("details", { class: "tail", data: { role: "webhooks" }, hidden: true }, summary, this.#list, verbs);
    this.#retry.addEventListener("click", () => void retry().then(() => this.#look(), () => {}));
  }

  /** Look again if the run has changed. @param {{ hasWebhooks?: boolean, seq?: number, status?: string }} facts */
  take({ hasWebhooks, seq, status }) {
    const state = `${seq} ${status}`;
    if (!hasWebhooks || state === this.#state) return;
    this.#state = state;
    void this.#look();
  }

  async #look() {
    const found = await this.#load().catch(() => undefined); // the next change of the run tries again
    if (!found) return;
    this.#show(found);
    clearTimeout(this.#timer);
    const isWaiting = found.some(({ againIn }) => againIn !== null);
    if (isWaiting && this.element.isConnected) this.#timer = window.setTimeout(() => void this.#look(), PAUSE_MS);
  }

  /** @param {readonly Outstanding[]} found */
  #show(found) {
    const lost = found.filter(({ againIn }) => againIn === null).length;
    const words = [lost && `${lost} given up`, found.length - lost && `${found.length - lost} waiting`];
    this.#brief.textContent = words.filter(Boolean).join(", ") || "nothing to send";
    this.#list.replaceChildren(...found.map((each) => el("li", { text: sentenceOf(each) })));
    this.#retry.hidden = found.length === 0;
    this.element.hidden = false;
  }
}

/** @param {Outstanding} outstanding */
function sentenceOf({ type, url, tries, failure, againIn }) {
  const tried = tries === 1 ? "1 try" : `${tries} tries`;
  const state = againIn === null ? `given up after ${tried}` : `${tried}, next in ${duration(againIn * 1000)}`;
  return `${type} to ${url}: ${state}${failure ? `: ${failure}` : ""}`;
}
