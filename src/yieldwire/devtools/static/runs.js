/** The table of all runs. Polls: often while something happens, less often over time, not at all in a hidden tab. */

import { hashOfRun } from "./address.js";
import { el, show } from "./dom.js";
import { ago, duration, number, shortId } from "./format.js";
import { labelsOf, parentOf } from "./record.js";
import { treeOf } from "./runtree.js";

/**
 * @typedef {import("../client.js").RunInfo & { owner: string | null, shared: boolean, brief: string, blocked: import("./record.js").Blocked | null }} RunInfo
 * @typedef {{ runs: RunInfo[], next: string | null }} RunPage
 */

const FAST_MS = 1_000;
const SLOW_MS = 10_000;
const SLOWER = 1.5;
const TYPING_MS = 250;
const KEPT = 500;
const DEEPEST = 6;
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
  #none = el("p", { class: "empty-note", role: "status", hidden: true });
  #trouble = el("p", { class: "trouble", hidden: true });
  #older = el("button", { type: "button", class: "quiet", text: "Show older runs", hidden: true });
  #words = el("input", {
    type: "search",
    placeholder: "Search runs",
    "aria-label": "Search runs",
    title: "By action, id, status, owner, label or input",
    autocomplete: "off",
  });
  #filter = el(
    "select",
    { "aria-label": "Show runs that are" },
    ...["all", "active", "completed", "failed", "cancelled"].map((text) => el("option", { value: text, text })),
  );
  /** The runs whose children are shown. @type {Set<string>} */
  #opened = new Set();
  /** Where the list continues. @type {string | null | undefined} */
  #next;
  /** The same for the runs that the server has found. @type {string | null} */
  #foundNext = null;
  /** Runs that the server has found: it searches whole inputs. @type {Set<string>} */
  #found = new Set();
  #paceMs = FAST_MS;
  #timer = 0;
  #typing = 0;
  #last = "";

  /**
   * @param {{ load: (query: Record<string, string>) => Promise<RunPage>, onRuns: (runs: RunInfo[]) => void }} page `onRuns` is called with every list.
   */
  constructor({ load, onRuns }) {
    this.#load = load;
    this.#onRuns = onRuns;
    const heads = ["Status", "Run", "Started", "Took", "Events"].map((text) =>
      el("th", { scope: "col", class: `column-${text.toLowerCase()}`, text }),
    );
    this.#table = el("table", { id: "runs" }, el("thead", {}, el("tr", {}, ...heads)), this.#body);
    this.#empty.append(
      el("h3", { text: "No runs yet" }),
      el("p", {
        text: "Every call of an action is a run. Runs are listed here while their logs are kept, whether they were started from this page, another tab, a terminal or your own code.",
      }),
    );
    const head = el("div", { class: "section-head" }, el("h2", { text: "Runs" }), this.#words, this.#filter);
    this.element = el(
      "section",
      { class: "card runs", "aria-label": "Runs" },
      head,
      this.#trouble,
      el("div", { class: "scroll" }, this.#table),
      this.#empty,
      this.#none,
      this.#older,
    );
    this.#words.addEventListener("input", () => this.#search(TYPING_MS));
    this.#filter.addEventListener("change", () => this.#search(0));
    this.#older.addEventListener("click", () => void this.#more());
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

  /** What is searched for, as the server's parameters. */
  get #query() {
    const [search, status] = [this.#words.value.trim(), this.#filter.value];
    return {
      ...(search && { search }),
      ...(status === "active" ? { active: "1" } : status !== "all" && { status }),
    };
  }

  get #isSearching() {
    return Object.keys(this.#query).length > 0;
  }

  /** Show at once what is known, and then what the server finds. @param {number} waitMs */
  #search(waitMs) {
    this.#found = new Set();
    this.#foundNext = null;
    this.#draw();
    clearTimeout(this.#typing);
    if (this.#isSearching) this.#typing = window.setTimeout(() => this.#find(), waitMs);
  }

  /** @param {string} [before] */
  async #find(before) {
    const query = this.#query;
    const found = await this.#read({ ...query, ...(before && { before }) });
    if (!found || JSON.stringify(query) !== JSON.stringify(this.#query)) return;
    for (const run of found.runs) this.#found.add(run.id);
    this.#foundNext = found.next;
    this.#draw();
  }

  async #more() {
    if (this.#isSearching) return this.#find(this.#foundNext ?? undefined);
    const page = await this.#read({ before: this.#next ?? "" });
    if (page) this.#next = page.next;
    this.#draw();
  }

  /** @param {number} ms */
  #schedule(ms) {
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = window.setTimeout(() => this.#poll(), ms);
  }

  async #poll() {
    const page = await this.#read();
    if (page) {
      if (this.#next === undefined) this.#next = page.next;
      this.#forget(page);
      this.#draw();
      this.#onRuns([...this.#runs.values()]);
    }
    const isActive = [...this.#runs.values()].some((run) => !ENDED.has(run.status));
    this.#paceMs = Math.min(isActive ? 2 * FAST_MS : SLOW_MS, this.#paceMs * SLOWER);
    this.#schedule(this.#paceMs);
  }

  /** Read a page, the newest one without a query. @param {Record<string, string>} [query] */
  async #read(query) {
    try {
      const page = await this.#load(query ?? {});
      for (const run of page.runs)
        if (query || this.#runs.has(run.id) || this.#runs.size < KEPT) this.#runs.set(run.id, run);
      show(this.#trouble, "");
      return page;
    } catch (reason) {
      show(this.#trouble, `The runs cannot be read: ${/** @type {Error} */ (reason).message}`);
      return undefined;
    }
  }

  /** Drop what the server no longer lists: runs deleted there, and everything after a restart. @param {RunPage} page */
  #forget({ runs, next }) {
    const listed = new Set(runs.map((run) => run.id));
    const oldest = runs.at(-1)?.createdAt ?? "";
    for (const [id, run] of this.#runs)
      if (!listed.has(id) && (next === null || run.createdAt > oldest)) this.#runs.delete(id);
  }

  /** @param {RunInfo} run */
  #isWanted(run) {
    const wanted = this.#filter.value;
    if (wanted !== "all" && run.status !== wanted && (wanted !== "active" || ENDED.has(run.status))) return false;
    const text = [run.id, run.action, run.status, run.owner, ...run.labels, run.brief].join(" ").toLowerCase();
    const words = this.#words.value.toLowerCase().split(/\s+/);
    return this.#found.has(run.id) || words.every((word) => text.includes(word));
  }

  #draw() {
    const known = [...this.#runs.values()];
    const wanted = known.filter((run) => this.#isWanted(run));
    // What is found is shown wherever it is in the tree.
    const runs = treeOf(wanted, this.#isSearching ? new Set(this.#runs.keys()) : this.#opened);
    const rows = runs.map((branch) => this.#row(branch));
    const order = runs.map(({ run }) => run.id).join();
    if (order !== this.#last) this.#body.replaceChildren(...rows); // otherwise only cells change, and the focus is kept
    if (order !== this.#last) this.#paceMs = FAST_MS;
    this.#last = order;
    this.#table.hidden = runs.length === 0;
    this.#empty.hidden = known.length > 0;
    show(this.#none, known.length && !runs.length ? "No run matches the search." : "");
    this.#older.hidden = !(this.#isSearching ? this.#foundNext : this.#next);
    for (const id of this.#rows.keys()) if (!this.#runs.has(id)) this.#rows.delete(id);
  }

  /** @param {import("./runtree.js").Branch<RunInfo>} branch */
  #row({ run, depth, children }) {
    const row = this.#rows.get(run.id) ?? this.#newRow(run);
    const end = run.endedAt ? Date.parse(run.endedAt) : Date.now();
    const took = run.startedAt ? duration(end - Date.parse(run.startedAt)) : "";
    const notes = [run.attempt > 1 && `attempt ${run.attempt}`, run.blocked && "blocked the loop"];
    const note = notes.filter(Boolean).join(", ");
    /** @type {Record<string, string>} */
    const texts = { status: run.status, note, started: ago(run.createdAt), took, events: number(run.seq) };
    for (const cell of row.querySelectorAll("[data-cell]"))
      if (cell instanceof HTMLElement) show(cell, texts[cell.dataset.cell ?? ""]);
    const status = /** @type {HTMLElement} */ (row.querySelector(".status"));
    row.dataset.status = status.dataset.status = run.status;
    row.dataset.depth = String(Math.min(depth, DEEPEST));
    const fold = /** @type {HTMLButtonElement} */ (row.querySelector("button.fold"));
    const isOpen = this.#isSearching || this.#opened.has(run.id);
    fold.setAttribute("aria-expanded", String(isOpen));
    show(fold, children ? `${children} ${children === 1 ? "child" : "children"}` : "");
    return row;
  }

  /** @param {string} id */
  #fold(id) {
    if (!this.#opened.delete(id)) this.#opened.add(id);
    this.#draw();
  }

  /** @param {RunInfo} run */
  #newRow(run) {
    const link = el("a", { href: hashOfRun(run.id), class: "mono", text: shortId(run.id), title: run.id });
    const fold = el("button", { type: "button", class: "fold quiet", on: { click: () => this.#fold(run.id) } });
    const name = el("div", { class: "run-name" }, el("strong", { text: run.action }), link, fold);
    const input = run.brief !== "{}" && el("code", { class: "brief", text: run.brief, title: run.brief });
    const owner = run.owner !== null && el("span", { class: "owner", text: run.owner });
    const parent = run.parent !== null && parentOf(run.parent);
    const hasMarks = owner || parent || run.labels.length > 0;
    const marks = hasMarks && el("div", { class: "marks" }, owner, parent, ...labelsOf(run.labels));
    const times = { datetime: run.createdAt, title: new Date(run.createdAt).toLocaleString() };
    const row = el(
      "tr",
      { data: { run: run.id } },
      el(
        "td",
        {},
        el("span", { class: "status", data: { cell: "status" } }),
        el("span", { class: "note", data: { cell: "note" } }),
      ),
      el("td", { class: "column-run" }, name, input, marks),
      el("td", {}, el("time", { data: { cell: "started" }, ...times })),
      el("td", { class: "column-took" }, el("span", { class: "figure", data: { cell: "took" } })),
      el("td", { class: "column-events" }, el("span", { class: "figure", data: { cell: "events" } })),
    );
    this.#rows.set(run.id, row);
    return row;
  }

  /** A click anywhere in the row is one on its link. @param {MouseEvent} event */
  #open({ target }) {
    if (!(target instanceof Element) || target.closest("a, button")) return;
    const row = target.closest("tr[data-run]");
    if (row instanceof HTMLElement) location.hash = hashOfRun(row.dataset.run ?? "");
  }
}
