/** The newest events of one run. Draws at most once per frame of the screen, whatever comes. */

import { el } from "./dom.js";
import { brief, gist } from "./format.js";

const SHOWN = 500;

export class Timeline {
  #list = el("ol", { class: "events", data: { role: "events" }, tabindex: "0", "aria-label": "Events" });
  #count = el("span", { class: "count", text: "0" });
  #hidden = el("span", { class: "muted" });
  #pending = [];
  #seen = 0;
  #isDue = false;
  #start = performance.now();
  #isResumed = false;

  constructor() {
    const summary = el("summary", {}, "Events ", this.#count, " ", this.#hidden);
    this.element = el("details", { class: "timeline", open: true, hidden: true }, summary, this.#list);
  }

  /** Take an event in; it is drawn with the next frame. */
  add(event) {
    this.#seen++;
    this.#pending.push({ ...event, at: performance.now(), isResumed: this.#isResumed });
    this.#isResumed = false;
    if (this.#pending.length > SHOWN) this.#pending.shift(); // a hidden tab draws no frames
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => this.#draw());
  }

  /** Mark the next event as the first after a break. */
  resumed() {
    this.#isResumed = true;
  }

  #draw() {
    this.#isDue = false;
    this.element.hidden = false;
    const isAtEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40;
    this.#list.append(...this.#pending.map((event) => this.#row(event)));
    this.#pending = [];
    while (this.#list.children.length > SHOWN) this.#list.firstChild.remove();
    this.#count.textContent = this.#seen.toLocaleString("en");
    this.#hidden.textContent = this.#seen > SHOWN ? `the last ${SHOWN} are shown` : "";
    if (isAtEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }

  #row({ seq, type, data, at, isResumed }) {
    const seconds = ((at - this.#start) / 1000).toFixed(2);
    return el(
      "li",
      { class: isResumed ? "resumed" : "", data: { seq, type } },
      el("span", { class: "event-seq", text: seq }),
      el("span", { class: "event-at", text: `+${seconds} s`, title: "when this page got it" }),
      el("span", { class: "event-type", text: type }),
      el("code", { class: "event-data", text: brief(gist({ type, data })), title: brief(data, 2000) }),
    );
  }
}
