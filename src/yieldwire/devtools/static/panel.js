/** One run that this page follows: its state, its output, its events, and what can be done with it. */

import { copyButton, el, icon, show } from "./dom.js";
import { duration, number, shortId } from "./format.js";
import { Output } from "./output.js";
import { Timeline } from "./timeline.js";

const CROSS = "M4 4l8 8M12 4l-8 8";

const ENDED = new Set(["completed", "failed", "cancelled"]);

/** Whether a run has ended, as far as this page knows. */
export const isTerminal = (run) => ENDED.has(run.status);

/** The newest event of a run that this page has seen. */
export const seqOf = (run) => Number(run.cursor?.slice(run.cursor.lastIndexOf(".") + 1) ?? 0);

export class Panel {
  #page;
  #output = new Output();
  #timeline = new Timeline();
  #status = el("span", { class: "status", data: { role: "status" }, role: "status" });
  #trouble = el("p", { class: "trouble", data: { role: "connection" }, hidden: true });
  #name;
  #action = el("a", { class: "panel-action" });
  #id = el("a", { class: "panel-id" });
  #facts = el("span", { class: "panel-facts" });
  #stop = el("button", { type: "button", class: "danger", data: { role: "stop" }, text: "Stop" });
  #detach = el("button", {
    type: "button",
    data: { role: "detach" },
    text: "Detach",
    title: "Stop reading; the run goes on",
  });
  #curl = el("code", { class: "curl-text" });
  #curlBox = el(
    "details",
    { class: "tail", hidden: true },
    el("summary", { text: "Follow it from a terminal" }),
    el(
      "div",
      { class: "curl" },
      this.#curl,
      copyButton(() => this.#curl.textContent),
    ),
  );
  #startedAt = Date.now();
  #endedAt = null;
  #isDetached = false;
  #isStopping = false;
  #isPolling = false;

  /** `action` is its name, where that is known; `page` is `{client, lingerOf(action), curlOf(run), onChange(panel), onClose(panel)}`. */
  constructor(run, action, page) {
    this.#name = action;
    this.#page = page;
    const close = el(
      "button",
      { type: "button", class: "quiet icon-button", "aria-label": "Close this panel" },
      icon(CROSS),
    );
    const title = el("header", { class: "panel-head" }, this.#status, this.#action, close);
    const verbs = el("span", { class: "panel-verbs" }, this.#detach, this.#stop);
    const facts = el("div", { class: "panel-sub" }, this.#id, this.#facts, verbs);
    this.element = el(
      "article",
      { class: "panel", tabindex: "-1" },
      title,
      facts,
      this.#trouble,
      this.#output.element,
      this.#timeline.element,
      this.#curlBox,
    );
    this.#stop.addEventListener("click", () => this.#cancel());
    this.#detach.addEventListener("click", () => (this.#isDetached ? this.resume() : this.detach()));
    close.addEventListener("click", () => page.onClose(this));
    this.#follow(run);
  }

  /** Whether this panel holds a connection open. */
  get isStreaming() {
    return !this.#isPolling && this.run.connection !== "closed";
  }

  /** Whether the start was refused, so that there is no run to speak of. */
  get isRefused() {
    return this.run.id === undefined && this.run.connection === "closed";
  }

  /** Make room: a run that has ended keeps its output and folds its events. */
  fold() {
    if (isTerminal(this.run)) this.#timeline.element.open = false;
  }

  detach() {
    this.#isDetached = true;
    this.run.detach();
    this.draw();
  }

  /** Read on after the last event that came; by polling, if connections are short. */
  resume({ transport } = {}) {
    this.#isDetached = false;
    this.#isPolling = transport === "polling";
    this.#timeline.resumed();
    const { id, cursor } = this.run;
    this.#follow(this.#page.client.runs.attach(id, cursor, { transport }));
  }

  /** Give the connection up without losing the run. */
  poll() {
    if (this.run.id === undefined) return;
    this.run.detach();
    this.resume({ transport: "polling" });
  }

  /** Take times from the server, which knows them better than this page. */
  take({ action, startedAt, createdAt, endedAt }) {
    this.#name ??= action;
    this.#startedAt = Date.parse(startedAt ?? createdAt) || this.#startedAt;
    this.#endedAt = Date.parse(endedAt) || this.#endedAt;
    this.draw();
  }

  draw() {
    const { run } = this;
    const isOver = run.connection === "closed" && !this.#isDetached;
    this.element.dataset.run = run.id ?? "";
    this.element.dataset.status = this.#status.dataset.status = isOver && !isTerminal(run) ? "" : (run.status ?? "pending");
    show(this.#status, this.#statusWords(isOver));
    this.#action.textContent = this.#name ?? "…";
    if (this.#name) this.#action.href = `#/action/${encodeURIComponent(this.#name)}`;
    show(this.#id, run.id && shortId(run.id));
    if (run.id) Object.assign(this.#id, { href: `#/run/${encodeURIComponent(run.id)}`, title: run.id });
    show(this.#facts, this.#words());
    this.#drawTrouble();
    this.#stop.hidden = isTerminal(run) || isOver;
    this.#stop.disabled = this.#isStopping;
    this.#stop.textContent = this.#isStopping ? "Stopping…" : "Stop";
    this.#detach.hidden = isTerminal(run) || run.id === undefined || (isOver && !this.#isDetached);
    this.#detach.textContent = this.#isDetached ? "Resume" : "Detach";
    this.#curlBox.hidden = run.id === undefined;
    if (run.id) this.#curl.textContent = this.#page.curlOf(run);
  }

  #statusWords(isOver) {
    const { run } = this;
    if (this.isRefused) return "refused";
    if (isTerminal(run)) return run.status;
    if (isOver) return "not readable";
    return this.#isDetached ? `${run.status ?? "pending"}, detached` : (run.status ?? "pending");
  }

  #words() {
    const { run } = this;
    if (run.connection === "closed" && !isTerminal(run) && !this.#isDetached && !this.isRefused) return "";
    if (this.isRefused) return "nothing was started";
    const words = [
      duration((this.#endedAt ?? Date.now()) - this.#startedAt),
      `${number(seqOf(run))} ${seqOf(run) === 1 ? "event" : "events"}`,
    ];
    if (run.attempt > 1) words.push(`attempt ${run.attempt}`);
    if (run.firstSeq > 1) words.push(`from event ${number(run.firstSeq)}`);
    if (this.#isPolling && !isTerminal(run)) words.push("polling");
    return words.join(" · ");
  }

  #drawTrouble() {
    const { run } = this;
    if (this.#isDetached && !isTerminal(run)) return show(this.#trouble, this.#detachedWords());
    show(this.#trouble, run.trouble && `${run.trouble} Trying again, nothing is lost.`);
  }

  #detachedWords() {
    const linger = this.#page.lingerOf(this.#name);
    const end = typeof linger === "number" ? `; without readers it is cancelled after ${linger} s` : "";
    return `Not reading since event ${number(seqOf(this.run))}. The run goes on${end}.`;
  }

  #follow(run) {
    this.run = run;
    run.subscribe(() => run === this.run && this.#changed());
    void this.#read(run);
    this.#changed();
  }

  #changed() {
    if (isTerminal(this.run)) this.#endedAt ??= Date.now();
    this.draw();
    this.#page.onChange(this);
  }

  async #read(run) {
    let last = null;
    try {
      for await (const event of run.events()) {
        if (run !== this.run) return;
        last = event.type;
        this.#timeline.add(event);
        this.#output.add(event);
      }
      if (run === this.run && !["done", "error", "cancelled"].includes(last)) await this.#showOutcome(run);
    } catch (reason) {
      if (run === this.run && !this.#isDetached)
        this.#output.error({ code: reason.name, ...reason, message: reason.message });
    }
    if (run === this.run) this.#changed();
  }

  /** The run had ended and its log had nothing more: the outcome is the snapshot's. */
  async #showOutcome(run) {
    if (run.error) this.#output.error({ ...run.error, message: run.error.message });
    else this.#output.result(await run.result());
  }

  async #cancel() {
    this.#isStopping = true;
    this.draw();
    try {
      await this.run.stop();
      if (this.#isDetached) this.resume(); // the last event says how it ended
    } catch (reason) {
      this.#output.error({ ...reason, message: `It could not be stopped: ${reason.message}` });
    }
    this.#isStopping = false;
    this.draw();
  }
}
