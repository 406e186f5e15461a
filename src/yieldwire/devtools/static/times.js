/**
 * When each event of a run was written, in milliseconds after the run's start.
 *
 * Theory of operation. An event that arrives live was written a moment ago, so the page's clock gives its time. Events
 * that were in the log before, or that were written while the page did not read, arrive all at once: their times are
 * fetched from the server, page by page, up to the newest event that the log had when the first page was read. Events
 * that arrive before that event is known are held. Each event is counted once, when its time is known. When the run of
 * this page has ended, the server's times replace the page's, so that they are the same after a reload.
 */

/**
 * @typedef {import("../client.js").RunEvent} RunEvent
 * @typedef {{ attempt: number, createdAt: string, startedAt: string | null }} Started
 * @typedef {{ seq: number, cursor: string, events: { seq: number, atMs: number }[] } & Started} TimedPage
 */

const KEPT = 100_000; // as many as the list of events keeps
const SETTLED = 10_000; // events whose times are worth to be fetched again

/** When a run started; `startedAt` is its last attempt's. @param {Started} run */
export const startOf = ({ attempt, createdAt, startedAt }) =>
  Date.parse((attempt > 1 ? null : startedAt) ?? createdAt);

export class Times {
  #load;
  #count;
  #isOwn;
  #beganMs;
  /** @type {Map<number, number>} */
  #times = new Map();
  #fetches = 0;
  #fetch = Promise.resolve();
  /** The server gives the times of the events up to this one. */
  #pastSeq = 0;
  /** The newest event whose time was fetched. */
  #fetchedSeq = 0;
  /** @type {{ first: number, last: number, nowMs: number }[]} */
  #held = [];

  /**
   * @param {object} options
   * @param {(after: string) => Promise<TimedPage>} options.load
   * @param {(count: number, atMs: number) => void} options.count
   * @param {boolean} options.isOwn Whether this page starts the run, at `nowMs`.
   * @param {number} options.nowMs
   */
  constructor({ load, count, isOwn, nowMs }) {
    this.#load = load;
    this.#count = count;
    this.#isOwn = isOwn;
    this.#beganMs = nowMs;
  }

  /** The time of an event; undefined while it is not known. @param {number} seq */
  of(seq) {
    return this.#times.get(seq);
  }

  /** Take events that have arrived. @param {readonly RunEvent[]} events @param {number} nowMs */
  add(events, nowMs) {
    const first = events[0]?.seq ?? 0;
    const last = events.at(-1)?.seq ?? -1;
    if (first <= this.#pastSeq) this.#held.push({ first, last, nowMs });
    else this.#set(first, last, nowMs - this.#beganMs);
  }

  /**
   * Replace the page's times of a run that has ended by the server's.
   * @param {() => void} recount Called before all events are counted again.
   */
  async settle(recount) {
    if (!this.#isOwn || this.#times.size > SETTLED) return;
    this.#isOwn = false;
    /** @type {[number, number][]} */
    const counted = [];
    const count = (/** @type {number} */ events, /** @type {number} */ atMs) => counted.push([events, atMs]);
    const exact = new Times({ load: this.#load, count, isOwn: false, nowMs: this.#beganMs });
    await exact.fetch(0);
    if (exact.#times.size < this.#times.size) return; // the server could not be read
    this.#times = exact.#times;
    recount();
    for (const [events, atMs] of counted) this.#count(events, atMs);
  }

  /** Fetch the times of the events after `seq` that the log has already. @param {number} seq */
  fetch(seq) {
    this.#pastSeq = Infinity;
    this.#fetches += 1;
    this.#fetch = this.#fetch.then(async () => {
      await this.#fetchAfter(seq).catch(() => {}); // the page's clock is the next best
      this.#fetches -= 1;
      if (this.#fetches > 0) return;
      this.#pastSeq = 0;
      for (const { first, last, nowMs } of this.#held.splice(0)) this.#set(first, last, nowMs - this.#beganMs);
    });
    return this.#fetch;
  }

  /** @param {number} seq */
  async #fetchAfter(seq) {
    let untilSeq = Infinity;
    for (let after = String(seq); ; ) {
      const page = await this.#load(after);
      const startMs = startOf(page);
      if (!this.#isOwn) this.#beganMs = startMs;
      untilSeq = Math.min(untilSeq, page.seq);
      if (this.#fetches === 1) this.#pastSeq = untilSeq;
      for (const { seq, atMs } of page.events) {
        this.#set(seq, seq, atMs - startMs);
        this.#fetchedSeq = Math.max(this.#fetchedSeq, seq);
      }
      if (page.events.length === 0 || this.#fetchedSeq >= untilSeq) return;
      after = page.cursor;
    }
  }

  /** @param {number} first @param {number} last @param {number} ms */
  #set(first, last, ms) {
    const atMs = Math.max(0, ms);
    let count = 0;
    for (let seq = Math.max(first, this.#fetchedSeq + 1); seq <= last; seq++) {
      if (this.#times.has(seq)) continue;
      this.#times.set(seq, atMs);
      count += 1;
    }
    if (count) this.#count(count, atMs);
    if (this.#times.size > 1.2 * KEPT) this.#drop();
  }

  /** Drop the oldest times. */
  #drop() {
    for (const seq of this.#times.keys()) {
      if (this.#times.size <= KEPT) return;
      this.#times.delete(seq);
    }
  }
}
