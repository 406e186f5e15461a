/**
 * The events of one run, as a list whose cost does not depend on its length.
 *
 * Theory of operation. The events are kept in one array, those that match the filter in another. Only the visible rows are
 * elements, positioned in a space as high as all rows would be. New events are drawn with the next browser frame, and
 * filtering takes a few milliseconds of each frame until it is done, so no number of events blocks
 * the page.
 */

import { copyButton, el, show } from "./dom.js";
import { brief, gist, number, weight } from "./format.js";

/**
 * @typedef {import("../client.js").RunEvent} RunEvent
 * @typedef {{ event: RunEvent, isResumed: boolean, size: number }} Entry
 */

const KEPT = 100_000; // events; older ones are dropped from the page, not from the log
const KEPT_SIZE = 32_000_000; // about the number of characters in all of them
const ROW = 24; // px, as in run.css
const MORE = 8; // rows above and below the visible ones
const BUDGET_MS = 6;
const DETAIL_SHOWN = 100_000; // characters
const TYPES = ["all", "chunk", "question", "answer", "restarted", "done", "error", "cancelled"];

let lists = 0;

export class Timeline {
  #times;
  /** @type {Entry[]} */
  #entries = [];
  /** @type {Entry[]} */
  #found = [];
  #scanned = 0;
  #size = 0;
  #seen = 0;
  #isDue = false;
  #isResumed = false;
  #isAtEnd = true;
  /** @type {Entry | undefined} */
  #selected;
  #key = `events-${++lists}`;

  #count = el("span", { class: "count", data: { role: "event-count" } });
  #words = el("input", {
    type: "search",
    placeholder: "Filter events",
    "aria-label": "Filter events",
    autocomplete: "off",
  });
  #type = el(
    "select",
    { "aria-label": "Show events of type" },
    ...TYPES.map((text) => el("option", { value: text, text })),
  );
  #rows = el("div", { class: "event-rows", role: "presentation" });
  #space = el("div", { class: "event-space", role: "presentation" }, this.#rows);
  #none = el("p", { class: "empty-note", text: "No event matches the filter.", hidden: true });
  #list = el(
    "div",
    { class: "events", role: "listbox", tabindex: "0", "aria-label": "Events", data: { role: "events" } },
    this.#space,
  );
  #json = el("pre", { class: "code", tabindex: "0", "aria-label": "Event", data: { role: "event" } });
  #when = el("p", { class: "muted event-when" });
  #detail = el(
    "div",
    { class: "event-detail", hidden: true },
    this.#when,
    this.#json,
    copyButton(() => this.#json.textContent ?? ""),
  );

  /** @param {{ of: (seq: number) => number | undefined }} times When each event was written. */
  constructor(times) {
    this.#times = times;
    const filter = el("div", { class: "event-filter" }, this.#words, this.#type);
    const summary = el("summary", {}, "Events ", this.#count);
    this.element = el(
      "details",
      { class: "timeline", open: true, hidden: true },
      summary,
      filter,
      this.#list,
      this.#none,
      this.#detail,
    );
    for (const control of [this.#words, this.#type]) control.addEventListener("input", () => this.#refilter());
    this.#list.addEventListener("scroll", () => this.#scrolled());
    this.#list.addEventListener("keydown", (event) => this.#pressed(event));
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    this.element.addEventListener("toggle", () => this.#due());
  }

  /** Add events. @param {readonly RunEvent[]} batch */
  add(batch) {
    for (const event of batch) {
      const size = weight(event.data);
      this.#entries.push({ event, isResumed: this.#isResumed, size });
      this.#size += size;
      this.#isResumed = false;
    }
    this.#seen += batch.length;
    if (this.#entries.length > 1.2 * KEPT || this.#size > 1.2 * KEPT_SIZE) this.#trim();
    if (batch.length) this.#due();
  }

  /** The events that count after the restart at `seq`, of those before it. @param {number} seq */
  pastOf(seq) {
    /** @type {RunEvent[]} */
    let past = [];
    for (const { event } of this.#entries) {
      const { type, data } = event;
      if (type === "restarted") past = past.filter((each) => each.seq <= (data.keep ?? 0));
      else if (event.seq < seq) past.push(event);
      if (event.seq >= seq) break;
    }
    return past;
  }

  /** Mark the next event as the first after a break. */
  resumed() {
    this.#isResumed = true;
  }

  /** Show times that have become known. */
  timed() {
    if (this.#seen > 0) this.#due();
  }

  #due() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => this.#draw());
  }

  #trim() {
    const last = this.#entries.length - 1;
    let dropped = 0;
    while (dropped < last && (last - dropped >= KEPT || this.#size > KEPT_SIZE))
      this.#size -= /** @type {Entry} */ (this.#entries[dropped++]).size;
    this.#entries.splice(0, dropped);
    this.#refilter();
  }

  #refilter() {
    this.#found = [];
    this.#scanned = 0;
    this.#due();
  }

  #draw() {
    this.#isDue = false;
    this.element.hidden = this.#seen === 0;
    const isDone = this.#scan();
    const total = number(this.#seen);
    const isAll = this.#found.length === this.#entries.length;
    const kept = this.#seen > this.#entries.length ? ` · the last ${number(this.#entries.length)} are kept` : "";
    show(this.#count, (isAll ? total : `${number(this.#found.length)} of ${total}`) + kept);
    this.#none.hidden = this.#found.length > 0 || !isDone;
    this.#list.hidden = this.#found.length === 0;
    this.#space.style.height = `${this.#found.length * ROW}px`;
    if (this.#isAtEnd) this.#list.scrollTop = this.#list.scrollHeight;
    this.#drawRows();
    if (!isDone) this.#due();
  }

  /** Filter events for a few milliseconds; return whether all are done. */
  #scan() {
    const untilMs = performance.now() + BUDGET_MS;
    const fits = fitsOf(this.#type.value, this.#words.value.trim().toLowerCase());
    while (this.#scanned < this.#entries.length) {
      const entry = /** @type {Entry} */ (this.#entries[this.#scanned++]);
      if (fits(entry.event)) this.#found.push(entry);
      if (this.#scanned % 512 === 0 && performance.now() > untilMs) return false;
    }
    return true;
  }

  #drawRows() {
    const first = Math.max(0, Math.floor(this.#list.scrollTop / ROW) - MORE);
    const shown = this.#found.slice(first, first + Math.ceil(this.#list.clientHeight / ROW) + 2 * MORE);
    this.#rows.style.transform = `translateY(${first * ROW}px)`;
    while (this.#rows.children.length < shown.length) this.#rows.append(newRow());
    while (this.#rows.children.length > shown.length) this.#rows.lastChild?.remove();
    shown.forEach((entry, at) =>
      this.#drawRow(/** @type {HTMLElement} */ (this.#rows.children[at]), entry, first + at),
    );
    const isInSight = this.#selected !== undefined && shown.includes(this.#selected);
    this.#list.setAttribute("aria-activedescendant", isInSight ? `${this.#key}-${this.#selected?.event.seq}` : "");
  }

  /** @param {HTMLElement} row @param {Entry} entry @param {number} place */
  #drawRow(row, entry, place) {
    const { event, isResumed } = entry;
    row.id = `${this.#key}-${event.seq}`;
    row.dataset.seq = String(event.seq);
    row.dataset.type = event.type;
    row.classList.toggle("resumed", isResumed);
    row.setAttribute("aria-selected", String(entry === this.#selected));
    row.setAttribute("aria-posinset", String(place + 1));
    row.setAttribute("aria-setsize", String(this.#found.length));
    const at = this.#times.of(event.seq);
    const texts = [String(event.seq), at === undefined ? "" : `+${secondsOf(at)}`, event.type, brief(gist(event))];
    texts.forEach((text, column) => {
      const cell = /** @type {HTMLElement} */ (row.children[column]);
      if (cell.textContent !== text) cell.textContent = text;
    });
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#list;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < 2 * ROW;
    this.#due();
  }

  /** @param {MouseEvent} event */
  #clicked({ target }) {
    const row = target instanceof Element ? target.closest("[data-seq]") : null;
    if (!(row instanceof HTMLElement)) return;
    const entry = this.#found[Number(row.getAttribute("aria-posinset")) - 1];
    this.#select(entry === this.#selected ? undefined : entry);
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const last = this.#found.length - 1;
    const at = this.#selected ? this.#found.indexOf(this.#selected) : event.key === "ArrowUp" ? last + 1 : -1;
    const page = Math.floor(this.#list.clientHeight / ROW);
    /** @type {Record<string, number>} */
    const places = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: last };
    const place = places[event.key];
    if (event.key === "Escape" && this.#selected) this.#select(undefined);
    else if (place === undefined) return;
    else this.#goTo(Math.min(last, Math.max(0, place)));
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} place */
  #goTo(place) {
    const top = place * ROW;
    const { scrollTop, clientHeight } = this.#list;
    if (top < scrollTop) this.#list.scrollTop = top;
    else if (top + ROW > scrollTop + clientHeight) this.#list.scrollTop = top + ROW - clientHeight;
    this.#select(this.#found[place]);
  }

  /** @param {Entry | undefined} entry */
  #select(entry) {
    this.#selected = entry;
    this.#detail.hidden = entry === undefined;
    if (entry) show(this.#when, whenOf(entry.event.seq, this.#times.of(entry.event.seq)));
    if (entry) this.#json.textContent = brief(JSON.stringify(entry.event, null, 2), DETAIL_SHOWN);
    this.#due();
  }
}

/** @param {string} type @param {string} words @returns {(event: RunEvent) => boolean} */
function fitsOf(type, words) {
  const isType = (/** @type {RunEvent} */ event) => type === "all" || event.type === type;
  if (!words) return isType;
  return (event) => isType(event) && (JSON.stringify(event.data) ?? "").toLowerCase().includes(words);
}

/** @param {number} atMs */
const secondsOf = (atMs) => `${(atMs / 1000).toFixed(atMs < 1_000_000 ? 2 : 0)} s`;

/** @param {number} seq @param {number | undefined} atMs */
const whenOf = (seq, atMs) =>
  `Event ${number(seq)}${atMs === undefined ? "" : `, ${secondsOf(atMs)} after the run's start`}`;

const newRow = () =>
  el(
    "div",
    { class: "event", role: "option" },
    el("span", { class: "event-seq" }),
    el("span", { class: "event-at", title: "After the run's start" }),
    el("span", { class: "event-type" }),
    el("code", { class: "event-data" }),
  );
