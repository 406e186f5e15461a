/** The table of all runs. Polls: often while something happens, less often over time, not at all in a hidden tab. */

import { hashOfRun } from "./address.js";
import { el, show } from "./dom.js";
import { ago, duration, number, shortId } from "./format.js";

/**
 * @typedef {import("../client.js").RunInfo & { owner?: string | null }} RunInfo
 * @typedef {{ runs: RunInfo[], next: string | null }} RunPage
 */

const FAST_MS = 1_000;
const SLOW_MS = 10_000;
const SLOWER = 1.5;
const KEPT = 500;
const ENDED = new Set(["completed", "failed", "cancelled"]);

export class RunsTable {
  #load;
  #onRuns;
  /** @type {Map<string, RunInfo>} */
  #runs = new Map();
  /** @type {Map<string, HTMLTableRowElement>} */
  #rows = new Map();
  #body = el("tbody", {});
  #table;
  #empty = el("div", { class: "empty", hidden: true });
  #trouble = el("p", { class: "trouble", hidden: true });
  #older = el("button", { type: "button", class: "quiet", text: "Show older runs", hidden: true });
  #filter = el(
    "select",
    { "aria-label": "Show runs that are" },
    ...["all", "active", "completed", "failed", "cancelled"].map((text) => el("option", { value: text, text })),
  );
  /** @type {string | null | undefined} */
  #next;
  #paceMs = FAST_MS;
  #timer = 0;
  #last = "";

  /**
   * @param {{ load: (query: Record<string, string>) => Promise<RunPage>, onRuns: (runs: RunInfo[]) => void }} page `onRuns` is called with every list.
   */
  constructor({ load, onRuns }) {
    this.#load = load;
    this.#onRuns = onRuns;
    const heads = ["Status", "Action", "Run", "Started", "Took", "Events", "Labels"].map((text) =>
      el("th", { scope: "col", text }),
    );
    this.#table = el("table", { id: "runs" }, el("thead", {}, el("tr", {}, ...heads)), this.#body);
    this.#empty.append(
      el("h3", { text: "No runs yet" }),
      el("p", {
        text: "Every call of an action is a run. Runs are listed here while their logs are kept, whether they were started from this page, another tab, a terminal or your own code.",
      }),
    );
    const head = el("div", { class: "section-head" }, el("h2", { text: "Runs" }), this.#filter);
    this.element = el(
      "section",
      { class: "card runs", "aria-label": "Runs" },
      head,
      this.#trouble,
      el("div", { class: "scroll" }, this.#table),
      this.#empty,
      this.#older,
    );
    this.#filter.addEventListener("change", () => this.#draw());
    this.#older.addEventListener("click", () => this.#page(this.#next));
    this.#table.addEventListener("click", (event) => this.#open(event));
    document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(this.#timer) : this.hurry()));
  }

  /** @param {string | undefined} id */
  get(id) {
    return this.#runs.get(id ?? "");
  }

  focus() {
    this.element.scrollIntoView({ block: "start" });
    (this.#table.querySelector("a") ?? this.#filter).focus();
  }

  /** Poll now, and often for a while. */
  hurry() {
    this.#paceMs = FAST_MS;
    this.#schedule(50);
  }

  /** @param {number} ms */
  #schedule(ms) {
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = window.setTimeout(() => this.#poll(), ms);
  }

  async #poll() {
    await this.#page();
    const isActive = [...this.#runs.values()].some((run) => !ENDED.has(run.status));
    this.#paceMs = Math.min(isActive ? 2 * FAST_MS : SLOW_MS, this.#paceMs * SLOWER);
    this.#schedule(this.#paceMs);
  }

  /** @param {string | null} [before] */
  async #page(before) {
    try {
      const { runs, next } = await this.#load(before ? { before } : {});
      if (before || this.#next === undefined) this.#next = next;
      for (const run of runs)
        if (before || this.#runs.has(run.id) || this.#runs.size < KEPT) this.#runs.set(run.id, run);
      if (!before) this.#forget(runs, next);
      show(this.#trouble, "");
      this.#draw();
      this.#onRuns([...this.#runs.values()]);
    } catch (reason) {
      show(this.#trouble, `The runs cannot be read: ${/** @type {Error} */ (reason).message}`);
    }
  }

  /**
   * Drop what the server no longer lists: runs deleted there, and everything after a restart.
   * @param {RunInfo[]} runs
   * @param {string | null} next
   */
  #forget(runs, next) {
    const listed = new Set(runs.map((run) => run.id));
    const oldest = runs.at(-1)?.createdAt ?? "";
    for (const [id, run] of this.#runs)
      if (!listed.has(id) && (next === null || run.createdAt > oldest)) this.#runs.delete(id);
  }

  #draw() {
    const wanted = this.#filter.value;
    const isWanted = (/** @type {RunInfo} */ { status }) =>
      wanted === "all" || status === wanted || (wanted === "active" && !ENDED.has(status));
    const runs = [...this.#runs.values()].filter(isWanted).sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    const rows = runs.map((run) => this.#row(run));
    const order = runs.map((run) => run.id).join();
    if (order !== this.#last) this.#body.replaceChildren(...rows); // otherwise only cells change, and the focus is kept
    if (order !== this.#last) this.#paceMs = FAST_MS;
    this.#last = order;
    this.#table.hidden = runs.length === 0;
    this.#empty.hidden = this.#runs.size > 0;
    this.#older.hidden = !this.#next;
    for (const id of this.#rows.keys()) if (!this.#runs.has(id)) this.#rows.delete(id);
  }

  /** @param {RunInfo} run */
  #row(run) {
    const row = this.#rows.get(run.id) ?? this.#newRow(run);
    const end = run.endedAt ? Date.parse(run.endedAt) : Date.now();
    const took = run.startedAt ? duration(end - Date.parse(run.startedAt)) : "";
    /** @type {Record<string, string>} */
    const texts = { status: run.status, started: ago(run.createdAt), took, events: number(run.seq) };
    for (const cell of row.querySelectorAll("[data-cell]"))
      if (cell instanceof HTMLElement) show(cell, texts[cell.dataset.cell ?? ""]);
    const status = /** @type {HTMLElement} */ (row.querySelector(".status"));
    row.dataset.status = status.dataset.status = run.status;
    return row;
  }

  /** @param {RunInfo} run */
  #newRow(run) {
    const row = el(
      "tr",
      { data: { run: run.id } },
      el("td", {}, el("span", { class: "status", data: { cell: "status" } })),
      el("td", { class: "strong", text: run.action }),
      el("td", {}, el("a", { href: hashOfRun(run.id), class: "mono", text: shortId(run.id), title: run.id })),
      el(
        "td",
        {},
        el("time", {
          data: { cell: "started" },
          datetime: run.createdAt,
          title: new Date(run.createdAt).toLocaleString(),
        }),
      ),
      el("td", {}, el("span", { class: "figure", data: { cell: "took" } })),
      el("td", {}, el("span", { class: "figure", data: { cell: "events" } })),
      el("td", { class: "muted labels", text: [run.owner, ...(run.labels ?? [])].filter(Boolean).join(", ") }),
    );
    this.#rows.set(run.id, row);
    return row;
  }

  /** A click anywhere in the row is one on its link. @param {MouseEvent} event */
  #open({ target }) {
    if (!(target instanceof Element) || target.closest("a")) return;
    const row = target.closest("tr[data-run]");
    if (row instanceof HTMLElement) location.hash = hashOfRun(row.dataset.run ?? "");
  }
}
