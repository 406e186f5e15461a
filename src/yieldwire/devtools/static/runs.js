/** The table of all runs. Polls: fast while something happens, slower with time, not at all in a hidden tab. */

import { el, show } from "./dom.js";
import { ago, duration, number, shortId } from "./format.js";

const FAST_MS = 1_000;
const SLOW_MS = 10_000;
const SLOWER = 1.5;
const KEPT = 500;
const ENDED = new Set(["completed", "failed", "cancelled"]);

export class RunsTable {
  #load;
  #onRuns;
  #runs = new Map();
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
  #next;
  #paceMs = FAST_MS;
  #timer = null;
  #last = "";

  /** `load(query)` gives the list's JSON; `onRuns(runs)` hears of every list that came. */
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
        text: "Every call of an action is a run, and stands here while its log is kept: started from this page, another tab, a terminal or your own code.",
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

  get(id) {
    return this.#runs.get(id);
  }

  /** Ask now, and often for a while. */
  hurry() {
    this.#paceMs = FAST_MS;
    this.#schedule(50);
  }

  #schedule(ms) {
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => this.#poll(), ms);
  }

  async #poll() {
    await this.#page();
    const isActive = [...this.#runs.values()].some((run) => !ENDED.has(run.status));
    this.#paceMs = Math.min(isActive ? 2 * FAST_MS : SLOW_MS, this.#paceMs * SLOWER);
    this.#schedule(this.#paceMs);
  }

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
      show(this.#trouble, `The runs cannot be read: ${reason.message}`);
    }
  }

  /** Drop what the server no longer lists: runs forgotten there, and a whole log after a restart. */
  #forget(runs, next) {
    const listed = new Set(runs.map((run) => run.id));
    const oldest = runs.at(-1)?.createdAt ?? "";
    for (const [id, run] of this.#runs)
      if (!listed.has(id) && (next === null || run.createdAt > oldest)) this.#runs.delete(id);
  }

  #draw() {
    const wanted = this.#filter.value;
    const isWanted = ({ status }) =>
      wanted === "all" || status === wanted || (wanted === "active" && !ENDED.has(status));
    const runs = [...this.#runs.values()].filter(isWanted).sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    const rows = runs.map((run) => this.#row(run));
    const order = runs.map((run) => run.id).join();
    if (order !== this.#last) this.#body.replaceChildren(...rows); // otherwise the cells alone change, and the focus stays
    if (order !== this.#last) this.#paceMs = FAST_MS;
    this.#last = order;
    this.#table.hidden = runs.length === 0;
    this.#empty.hidden = this.#runs.size > 0;
    this.#older.hidden = !this.#next;
    for (const id of this.#rows.keys()) if (!this.#runs.has(id)) this.#rows.delete(id);
  }

  #row(run) {
    const row = this.#rows.get(run.id) ?? this.#newRow(run);
    const [status, , , started, took, events] = row.children;
    status.firstChild.textContent = status.firstChild.dataset.status = run.status;
    row.dataset.status = run.status;
    started.firstChild.textContent = ago(run.createdAt);
    const end = run.endedAt ? Date.parse(run.endedAt) : Date.now();
    took.textContent = run.startedAt ? duration(end - Date.parse(run.startedAt)) : "";
    events.textContent = number(run.seq);
    return row;
  }

  #newRow(run) {
    const row = el(
      "tr",
      { data: { run: run.id } },
      el("td", {}, el("span", { class: "status" })),
      el("td", { class: "strong", text: run.action }),
      el(
        "td",
        {},
        el("a", { href: `#/run/${encodeURIComponent(run.id)}`, class: "mono", text: shortId(run.id), title: run.id }),
      ),
      el("td", {}, el("time", { datetime: run.createdAt, title: new Date(run.createdAt).toLocaleString() })),
      el("td", { class: "figure" }),
      el("td", { class: "figure" }),
      el("td", { class: "muted", text: [run.owner, ...(run.labels ?? [])].filter(Boolean).join(", ") }),
    );
    this.#rows.set(run.id, row);
    return row;
  }

  #open(event) {
    const id = event.target.closest("tr[data-run]")?.dataset.run;
    if (id && !event.target.closest("a")) location.hash = `#/run/${encodeURIComponent(id)}`;
  }
}
