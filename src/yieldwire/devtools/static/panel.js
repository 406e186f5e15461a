/** One run that this page follows: its state, its output, its events, and what can be done with it. */

import { copyButton, el, icon, show } from "./dom.js";
import { duration, number, shortId } from "./format.js";
import { Output } from "./output.js";
import { Timeline } from "./timeline.js";

const CROSS = "M4 4l8 8M12 4l-8 8";

export class Panel {
  #page;
  #output = new Output();
  #timeline = new Timeline();
  #status = el("span", { class: "status", data: { role: "status" }, role: "status" });
  #trouble = el("p", { class: "trouble", data: { role: "connection" }, hidden: true });
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

  /** `page` is `{client, lingerOf(action), curlOf(run), onChange(panel), onClose(panel)}`. */
  constructor(run, page) {
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
    return this.run.id === null && this.run.connection === "closed";
  }

  /** Make room: a run that has ended keeps its output and folds its events. */
  fold() {
    if (this.run.isTerminal) this.#timeline.element.open = false;
  }

  detach() {
    this.#isDetached = true;
    this.run.detach();
    this.draw();
  }

  /** Read on after the last event that came; by polling, if connections are short. */
  resume({ transport } = {}) {
    this.#isDetached = false;
    this.#isPolling = transport === "poll";
    this.#timeline.resumed();
    const { id, cursor, action, status } = this.run;
    this.#follow(this.#page.client.attach(id, cursor, { action, status, transport }));
  }

  /** Give the connection up without losing the run. */
  poll() {
    if (this.run.id === null) return;
    this.run.detach();
    this.resume({ transport: "poll" });
  }

  /** Take times from the server, which knows them better than this page. */
  take({ action, startedAt, createdAt, endedAt }) {
    this.run.action ??= action;
    this.#startedAt = Date.parse(startedAt ?? createdAt) || this.#startedAt;
    this.#endedAt = Date.parse(endedAt) || this.#endedAt;
    this.draw();
  }

  draw() {
    const { run } = this;
    const isOver = run.connection === "closed" && !this.#isDetached;
    this.element.dataset.run = run.id ?? "";
    this.element.dataset.status = this.#status.dataset.status = isOver && !run.isTerminal ? "" : run.status;
    show(this.#status, this.#statusWords(isOver));
    this.#action.textContent = run.action ?? "…";
    if (run.action) this.#action.href = `#/action/${encodeURIComponent(run.action)}`;
    show(this.#id, run.id && shortId(run.id));
    if (run.id) Object.assign(this.#id, { href: `#/run/${encodeURIComponent(run.id)}`, title: run.id });
    show(this.#facts, this.#words());
    this.#drawTrouble();
    this.#stop.hidden = run.isTerminal || isOver;
    this.#stop.disabled = this.#isStopping;
    this.#stop.textContent = this.#isStopping ? "Stopping…" : "Stop";
    this.#detach.hidden = run.isTerminal || run.id === null || (isOver && !this.#isDetached);
    this.#detach.textContent = this.#isDetached ? "Resume" : "Detach";
    this.#curlBox.hidden = run.id === null;
    if (run.id) this.#curl.textContent = this.#page.curlOf(run);
  }

  #statusWords(isOver) {
    const { run } = this;
    if (this.isRefused) return "refused";
    if (run.isTerminal) return run.status;
    if (isOver) return "not readable";
    return this.#isDetached ? `${run.status}, detached` : run.status;
  }

  #words() {
    const { run } = this;
    if (run.connection === "closed" && !run.isTerminal && !this.#isDetached && !this.isRefused) return "";
    if (this.isRefused) return "nothing was started";
    const words = [
      duration((this.#endedAt ?? Date.now()) - this.#startedAt),
      `${number(run.seq)} ${run.seq === 1 ? "event" : "events"}`,
    ];
    if (run.attempt > 1) words.push(`attempt ${run.attempt}`);
    if (run.firstSeq > 1) words.push(`from event ${number(run.firstSeq)}`);
    if (this.#isPolling && !run.isTerminal) words.push("polling");
    return words.join(" · ");
  }

  #drawTrouble() {
    const { run } = this;
    if (this.#isDetached && !run.isTerminal) return show(this.#trouble, this.#detachedWords());
    show(this.#trouble, run.trouble && `${run.trouble} Trying again, nothing is lost.`);
  }

  #detachedWords() {
    const linger = this.#page.lingerOf(this.run.action);
    const end = typeof linger === "number" ? `; without readers it is cancelled after ${linger} s` : "";
    return `Not reading since event ${number(this.run.seq)}. The run goes on${end}.`;
  }

  #follow(run) {
    this.run = run;
    run.subscribe(() => run === this.run && this.#changed());
    void this.#read(run);
    this.#changed();
  }

  #changed() {
    if (this.run.isTerminal) this.#endedAt ??= Date.now();
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
