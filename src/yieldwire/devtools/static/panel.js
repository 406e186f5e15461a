/** One followed run: its state, its output, its events, and its buttons. */

import { hashOf, hashOfRun } from "./address.js";
import { el, ICONS, iconButton, show } from "./dom.js";
import { duration, number, shortId, place } from "./format.js";
import { Output } from "./output.js";
import { Questions } from "./questions.js";
import { RunRecord } from "./record.js";
import { Spark } from "./spark.js";
import { TerminalBox } from "./terminal.js";
import { Timeline } from "./timeline.js";
import { startOf, Times } from "./times.js";
import { Webhooks } from "./webhooks.js";

/**
 * @typedef {import("../client.js").Run} Run
 * @typedef {import("../client.js").RunEvent} RunEvent
 * @typedef {object} Page
 * @property {import("../client.js").Client} client
 * @property {(name: string | undefined) => import("./actions.js").ActionInfo | undefined} actionOf
 * @property {(id: string) => string} curlOf
 * @property {(id: string) => Promise<RunInfo>} loadRun
 * @property {(id: string, after: string) => Promise<import("./times.js").TimedPage>} loadTimes
 * @property {(id: string) => Promise<void>} sendWebhooks Send what is outstanding now.
 * @property {(id: string) => Promise<void>} stopForAll Cancel a feed for all of its readers.
 * @property {(action: string, input: Record<string, unknown>, isDetached: boolean) => void} onAgain
 * @property {(action: string, input: Record<string, unknown>) => void} onEdit
 * @property {(panel: Panel) => void} onChange
 * @property {(panel: Panel) => void} onClose
 */

/** @typedef {import("./record.js").RunFacts & import("./times.js").Started & { action: string, endedAt: string | null, detached?: boolean, seq?: number, status?: string, hasWebhooks?: boolean, webhooks?: readonly import("./webhooks.js").Outstanding[] }} RunInfo */

const ENDED = new Set(["completed", "failed", "cancelled"]);
const LAST = new Set(["done", "error", "cancelled"]);

/** Whether a run has ended, as far as this page knows. @param {Run} run */
const isTerminal = (run) => ENDED.has(run.status ?? "");

/** The newest event of a run that this page has seen. @param {Run} run */
const seqOf = (run) => Number(run.cursor?.split(".")[1] ?? 0);

export class Panel {
  #page;
  #name;
  #output = new Output();
  #questions = new Questions((question, value) => this.run.answer(question, value));
  #times;
  #timeline;
  #spark = new Spark();
  #status = el("span", { class: "status", data: { role: "status" } });
  #trouble = el("p", { class: "trouble", data: { role: "connection" }, hidden: true });
  #action = el("a", { class: "panel-action" });
  #id = el("a", { class: "panel-id" });
  #facts = el("span", { class: "panel-facts" });
  #stop = this.#verb("stop", "Stop", "Cancel the run", () => this.stop());
  #detach = this.#verb("detach", "Detach", "Drop the connection; the run continues", () => this.toggle());
  #delete = this.#verb("delete", "Delete", "Delete the run and its log", () => this.#forget());
  #againButton = this.#verb("again", "Run again", "Start the action with the same input", () => this.again());
  #record;
  #webhooks = new Webhooks({
    load: async () => (await this.#page.loadRun(this.run.id ?? "")).webhooks ?? [],
    retry: () => this.#page.sendWebhooks(this.run.id ?? ""),
  });
  #terminal = new TerminalBox();
  #unsubscribe = () => {};
  #startedAt = Date.now();
  /** @type {number | null} */
  #endedAt = null;
  #hasEnd = false;
  /** Whether the connection was lost since the last event. */
  #isBehind = false;
  #isDetached = false;
  #wasDetached = false;
  #isBusy = false;
  #isDue = false;

  /**
   * @param {Run} run
   * @param {{ action?: string | undefined, input?: Record<string, unknown> | undefined }} known What is known of it.
   * @param {Page} page
   */
  constructor(run, { action, input }, page) {
    this.#name = action;
    this.#page = page;
    this.#times = new Times({
      load: (after) => page.loadTimes(this.run.id ?? "", after),
      count: (count, atMs) => {
        this.#spark.add(count, atMs);
        this.#timeline.timed();
        this.#changed();
      },
      isOwn: run.id === undefined,
      nowMs: this.#startedAt,
    });
    this.#timeline = new Timeline(this.#times);
    this.#record = new RunRecord({
      input,
      load: () => page.loadRun(this.run.id ?? ""),
      onEdit: () => void this.#record.input().then((whole) => page.onEdit(this.#name ?? "", whole)),
    });
    this.#stop.classList.add("danger");
    const close = iconButton(ICONS.close, "Close this panel", () => page.onClose(this));
    const head = el("header", { class: "panel-head" }, this.#status, el("h2", {}, this.#action), close);
    const verbs = el("span", { class: "panel-verbs" }, this.#detach, this.#stop, this.#againButton, this.#delete);
    const facts = el("div", { class: "panel-sub" }, this.#id, this.#facts, verbs);
    const parts = [
      head,
      facts,
      this.#record.head,
      this.#spark.element,
      this.#trouble,
      this.#record.warning,
      this.#questions.element,
      this.#output.element,
      this.#timeline.element,
      this.#record.element,
      this.#webhooks.element,
      this.#terminal.element,
    ];
    this.element = el("article", { class: "panel", tabindex: "-1" }, ...parts);
    this.run = run;
    if (run.id !== undefined) void this.#times.fetch(0);
    this.#follow(run);
  }

  get action() {
    return this.#name;
  }

  /** Whether the start was refused, so that there is no run. */
  get isRefused() {
    return this.run.id === undefined && this.run.connection === "closed";
  }

  /** Whether the run is still in progress here. */
  get isLive() {
    return this.run.connection !== "closed";
  }

  /** The run's state, in a few words. */
  get words() {
    const { run } = this;
    if (this.isRefused) return "refused";
    if (isTerminal(run)) return /** @type {string} */ (run.status);
    if (this.#isDetached) return `${run.status ?? "pending"}, detached`;
    return this.isLive ? (run.status ?? "pending") : "unreadable";
  }

  /** Make room: a run that has ended keeps its output and collapses its events. */
  fold() {
    if (isTerminal(this.run)) this.#timeline.element.open = false;
  }

  focus() {
    this.element.focus();
    this.element.scrollIntoView({ block: "nearest" });
  }

  /** Detach, or resume. */
  toggle() {
    if (this.#isDetached) this.resume();
    else if (this.run.id !== undefined && this.isLive) this.detach();
  }

  /** Drop the connection. */
  detach() {
    this.#isDetached = true;
    this.run.detach();
    this.#changed();
  }

  /** Continue after the last event. */
  resume() {
    this.#isDetached = false;
    this.#timeline.resumed();
    void this.#times.fetch(seqOf(this.run));
    this.#follow(this.#page.client.runs.attach(this.run.id ?? "", this.run.cursor));
  }

  stop() {
    if (isTerminal(this.run)) return;
    void this.#do("stopped", async () => {
      const { id } = this.run;
      await (this.#isShared && id !== undefined ? this.#page.stopForAll(id) : this.run.stop());
      if (this.#isDetached) this.resume(); // the last event says how it ended
    });
  }

  get #isShared() {
    return this.#page.actionOf(this.#name)?.shared ?? false;
  }

  /** Start the action again, with the same input. */
  async again() {
    if (this.#againButton.hidden) return;
    await this.#do("repeated", async () => {
      const input = await this.#record.input();
      this.#page.onAgain(this.#name ?? "", input, this.#wasDetached);
    });
  }

  /** Show how much of the input was sent. @param {number} sentBytes @param {number} totalBytes */
  sent(sentBytes, totalBytes) {
    if (this.run.id === undefined) this.#output.sent(sentBytes, totalBytes);
  }

  /**
   * Take the times from the server, which are more exact than this page's.
   * @param {RunInfo} info
   */
  take(info) {
    const { action, endedAt, detached } = info;
    this.#name ??= action;
    this.#wasDetached = detached ?? this.#wasDetached;
    this.#record.take(info);
    this.#webhooks.take(info);
    this.#startedAt = startOf(info) || this.#startedAt;
    this.#endedAt = Date.parse(endedAt ?? "") || this.#endedAt;
    this.#changed();
  }

  draw() {
    const { run } = this;
    const isOver = !this.isLive && !this.#isDetached;
    this.#output.describe(this.#page.actionOf(this.#name));
    this.element.dataset.run = run.id ?? "";
    this.element.setAttribute("aria-label", `${this.#name ?? "Run"} ${run.id ?? ""}`);
    this.element.dataset.status = this.#status.dataset.status =
      isOver && !isTerminal(run) ? "" : (run.status ?? "pending");
    show(this.#status, this.words);
    this.#action.textContent = this.#name ?? "…";
    if (this.#name) this.#action.href = hashOf({ action: this.#name, runs: run.id ? [run.id] : [] });
    show(this.#id, run.id && shortId(run.id));
    if (run.id) Object.assign(this.#id, { href: hashOfRun(run.id), title: `Link to ${run.id}` });
    show(this.#facts, this.#figures());
    show(this.#trouble, this.#troubles());
    this.#questions.show(run.questions);
    this.#spark.draw(this.#lastedMs);
    this.#drawVerbs(isOver);
  }

  /** @param {boolean} isOver */
  #drawVerbs(isOver) {
    const { run } = this;
    this.#stop.hidden = isTerminal(run) || isOver;
    this.#detach.hidden = isTerminal(run) || run.id === undefined || isOver;
    this.#delete.hidden = !isTerminal(run);
    this.#againButton.hidden = !isOver || !this.#page.actionOf(this.#name);
    this.#stop.title = this.#isShared ? "Cancel the feed for all of its readers" : "Cancel the run";
    this.#stop.disabled = this.#delete.disabled = this.#againButton.disabled = this.#isBusy;
    this.#detach.textContent = this.#isDetached ? "Resume" : "Detach";
    if (run.id) this.#terminal.show(this.#page.curlOf(run.id));
  }

  /** @param {string} role @param {string} text @param {string} title @param {() => void} onPress */
  #verb(role, text, title, onPress) {
    return el("button", { type: "button", text, title, data: { role }, hidden: true, on: { click: onPress } });
  }

  get #lastedMs() {
    return (this.#endedAt ?? Date.now()) - this.#startedAt;
  }

  #figures() {
    const { run } = this;
    if (this.isRefused) return "not started";
    if (!this.isLive && !isTerminal(run) && !this.#isDetached) return "";
    const seq = seqOf(run);
    const words = [
      duration(this.#lastedMs),
      seq === 1 ? "1 event" : `${number(seq)} events`,
    ];
    if (run.waiting) words.push(place(run.waiting));
    if (run.attempt > 1) words.push(`attempt ${run.attempt}`);
    if (run.firstSeq > 1) words.push(`from event ${number(run.firstSeq)}`);
    return words.filter(Boolean).join(" · ");
  }

  #troubles() {
    const { run } = this;
    if (!this.#isDetached || isTerminal(run))
      return run.trouble && `${run.trouble.replace(/[^.]$/, "$&.")} Retrying; nothing is lost.`;
    const linger = this.#page.actionOf(this.#name)?.linger;
    const end = typeof linger === "number" ? `; it is attached, so it is cancelled after ${linger} s without readers` : "";
    return `Not reading since event ${number(seqOf(run))}. The run continues${end}.`;
  }

  /** @param {Run} run */
  #follow(run) {
    this.#unsubscribe();
    this.run = run;
    this.#unsubscribe = run.subscribe((batch) => this.#take(batch));
    this.#changed();
  }

  /** @param {readonly RunEvent[]} batch */
  #take(batch) {
    const { run } = this;
    if (run.id !== undefined) this.#output.hasArrived();
    this.#follows(batch);
    this.#times.add(batch, Date.now());
    this.#timeline.add(batch);
    this.#output.add(batch, (seq) => this.#timeline.pastOf(seq));
    this.#hasEnd ||= LAST.has(batch.at(-1)?.type ?? "");
    if (!this.isLive) this.#end();
    this.#changed();
  }

  /** After a lost connection, events arrive that were written meanwhile. @param {readonly RunEvent[]} batch */
  #follows([first]) {
    if (first && this.#isBehind) void this.#times.fetch(first.seq - 1);
    if (first) this.#isBehind = false;
    if (this.run.connection === "waiting") this.#isBehind = seqOf(this.run) > 0;
  }

  /** The end: by an event, by a refusal, or because the log had no more events and the snapshot has the outcome. */
  #end() {
    if (isTerminal(this.run) && this.run.id !== undefined) {
      this.#endedAt ??= Date.now();
      void this.#times.settle(() => this.#spark.clear());
    }
    if (this.#hasEnd || this.#isDetached) return;
    this.#hasEnd = true;
    if (this.run.error) this.#output.error(errorOf(this.run.error));
    else
      this.run.result().then(
        (result) => this.#output.result(result),
        (reason) => this.#output.error(errorOf(reason)),
      );
  }

  #changed() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.draw();
      this.#page.onChange(this);
    });
  }

  async #forget() {
    await this.#do("deleted", async () => {
      await this.#page.client.runs.delete(this.run.id ?? "");
      this.#page.onClose(this);
    });
  }

  /** @param {string} what @param {() => Promise<void>} deed */
  async #do(what, deed) {
    this.#isBusy = true;
    this.#changed();
    try {
      await deed();
    } catch (reason) {
      const error = errorOf(reason);
      this.#output.error({ ...error, message: `The run could not be ${what}: ${error.message}` });
    }
    this.#isBusy = false;
    this.#changed();
  }
}

/** @param {any} reason */
const errorOf = (reason) => ({ code: reason.code ?? reason.name, ...reason, message: reason.message });
