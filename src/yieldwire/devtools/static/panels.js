/** The followed runs in panels, newest first. */

import { Panel } from "./panel.js";

/**
 * @typedef {import("../client.js").Run} Run
 * @typedef {import("./panel.js").RunInfo} RunInfo
 * @typedef {object} Announcing
 * @property {(text: string) => void} announce Say it to who does not see the page.
 * @property {() => void} hurry Something has changed that the table of runs does not know yet.
 * @property {() => void} onChange Other runs are followed than before.
 * @typedef {Omit<import("./panel.js").Page, "onChange" | "onClose"> & Announcing} Page
 */

export class Panels {
  #place;
  #page;
  /** @type {Panel[]} */
  #panels = [];
  /** @type {WeakMap<Panel, string>} */
  #words = new WeakMap();
  #ids = "";

  /** @param {HTMLElement} place @param {Page} page */
  constructor(place, page) {
    this.#place = place;
    this.#page = page;
    // The elapsed time of each, also if no events arrive.
    setInterval(() => this.#panels.forEach((panel) => panel.isLive && panel.draw()), 1000);
  }

  get ids() {
    return this.#panels.flatMap(({ run }) => run.id ?? []);
  }

  get newest() {
    return this.#panels[0];
  }

  /** The panel that has the focus, or the newest. */
  get current() {
    return this.#panels.find(({ element }) => element.contains(document.activeElement)) ?? this.newest;
  }

  closeCurrent() {
    const { current } = this;
    if (!current) return;
    this.#close(current);
    (this.newest ?? document.getElementById("run"))?.focus();
  }

  /** Follow a run. @param {Run} run @param {{ action?: string, input?: Record<string, unknown> }} [known] */
  add(run, known = {}) {
    const refused = this.#panels.find((panel) => panel.isRefused);
    if (refused) this.#close(refused);
    for (const older of this.#panels) older.fold();
    const panel = new Panel(run, known, {
      ...this.#page,
      onChange: (changed) => this.#changed(changed),
      onClose: (closed) => this.#close(closed),
    });
    this.#panels.unshift(panel);
    this.#place.prepend(panel.element);
    this.#place.hidden = false;
    return panel;
  }

  /**
   * Follow a run by its id, unless it is already followed; `info` is its entry in the list, once that is known.
   * @param {string} id
   * @returns {{ panel: Panel, info: Promise<RunInfo | undefined> }}
   */
  attach(id) {
    const followed = this.#panels.find(({ run }) => run.id === id);
    const panel = followed ?? this.add(this.#page.client.runs.attach(id));
    const info = this.#page.loadRun(id).then(
      (found) => {
        panel.take(found);
        return found;
      },
      () => undefined, // the panel shows the error itself
    );
    return { panel, info };
  }

  /**
   * Update the runs from the server's list.
   * @param {{ get(id: string | undefined): RunInfo | undefined }} known
   */
  take(known) {
    for (const panel of this.#panels) {
      const info = known.get(panel.run.id);
      if (info) panel.take(info);
    }
  }

  /** @param {Panel} panel */
  #changed(panel) {
    if (!this.#panels.includes(panel)) return;
    if (this.#words.get(panel) !== panel.words) {
      this.#words.set(panel, panel.words);
      this.#page.announce(`${panel.action ?? "Run"}: ${panel.words}`);
      this.#page.hurry();
    }
    this.#noteIds();
  }

  /** @param {Panel} panel */
  #close(panel) {
    panel.run.detach();
    panel.element.remove();
    this.#panels = this.#panels.filter((one) => one !== panel);
    this.#place.hidden = this.#panels.length === 0;
    this.#noteIds();
  }

  #noteIds() {
    const ids = this.ids.join();
    if (ids === this.#ids) return;
    this.#ids = ids;
    this.#page.hurry();
    this.#page.onChange();
  }
}
