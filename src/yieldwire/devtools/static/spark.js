/** The rate of a run's events, as a small chart with two figures. */

import { el, show, svg } from "./dom.js";
import { duration, rate } from "./format.js";
import { barsOf, Rate } from "./rate.js";

const WIDTH = 120;
const HEIGHT = 24;

export class Spark {
  #rate = new Rate();
  #bars = svg("path", {});
  #drawing = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "spark", role: "img" },
    this.#bars,
  );
  #first = el("span", { data: { role: "first-event" }, title: "From the run's start to the first event" });
  #speed = el("span", { data: { role: "speed" }, title: "Events per second since the first" });

  element = el(
    "div",
    { class: "speed", hidden: true },
    this.#drawing,
    el("span", { class: "speed-words" }, this.#first, this.#speed),
  );

  clear() {
    this.#rate = new Rate();
  }

  /** @param {number} count @param {number} atMs The time of the events, after the run's start. */
  add(count, atMs) {
    this.#rate.add(count, atMs);
  }

  /** @param {number} nowMs How long the run has lasted. */
  draw(nowMs) {
    const { firstMs, perSecond } = this.#rate;
    this.element.hidden = firstMs === undefined;
    if (firstMs === undefined) return;
    const counts = this.#rate.spans(nowMs);
    this.#bars.setAttribute("d", barsOf(counts, WIDTH, HEIGHT));
    show(this.#first, `first event ${duration(firstMs)}`);
    show(this.#speed, rate(perSecond));
    this.#drawing.setAttribute("aria-label", `Events over time, ${rate(perSecond) || "all at once"}`);
  }
}
