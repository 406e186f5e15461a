/**
 * The rate of a run's events: the wait for the first, and the count in each span of time. Pure; times are milliseconds
 * after the run's start.
 */

const SPANS = 60;
const FIRST_SPAN_MS = 100;

/** Counts in spans of equal length, which doubles when the run outgrows them, so that any run fits. */
export class Rate {
  /** The length of one span. */
  spanMs = FIRST_SPAN_MS;
  /** From the start to the first event; undefined before it. @type {number | undefined} */
  firstMs = undefined;
  total = 0;
  #lastMs = 0;
  /** @type {number[]} */
  #counts = [];

  /**
   * Count events of one time; the order of the calls makes no difference.
   * @param {number} count
   * @param {number} atMs
   */
  add(count, atMs) {
    if (count === 0) return;
    this.firstMs = Math.min(this.firstMs ?? atMs, atMs);
    this.total += count;
    this.#lastMs = Math.max(this.#lastMs, atMs);
    const span = this.#spanAt(atMs);
    while (this.#counts.length <= span) this.#counts.push(0);
    this.#counts[span] = (this.#counts[span] ?? 0) + count;
  }

  /** Events in each span up to a moment, the oldest first. @param {number} nowMs */
  spans(nowMs) {
    const last = this.#spanAt(Math.max(nowMs, this.#lastMs));
    return Array.from({ length: last + 1 }, (_, span) => this.#counts[span] ?? 0);
  }

  /** Events per second between the first and the last; undefined if all have one time. */
  get perSecond() {
    const ms = this.#lastMs - (this.firstMs ?? 0);
    return this.total > 1 && ms > 0 ? ((this.total - 1) * 1000) / ms : undefined;
  }

  /** @param {number} atMs */
  #spanAt(atMs) {
    const ms = Math.max(0, atMs);
    while (ms >= SPANS * this.spanMs) this.#widen();
    return Math.floor(ms / this.spanMs);
  }

  #widen() {
    const old = this.#counts;
    this.#counts = Array.from(
      { length: Math.ceil(old.length / 2) },
      (_, at) => (old[2 * at] ?? 0) + (old[2 * at + 1] ?? 0),
    );
    this.spanMs *= 2;
  }
}

/**
 * The spans as bars, for an SVG of this size: the data of a path.
 * @param {number[]} counts
 * @param {number} width
 * @param {number} height
 */
export function barsOf(counts, width, height) {
  const most = Math.max(1, ...counts);
  const step = width / Math.max(SPANS / 2, counts.length);
  const bars = counts.map((count, at) =>
    count
      ? `M${round(at * step)} ${height}v${round(-Math.max(1, (count / most) * height))}h${round(step * 0.75)}V${height}z`
      : "",
  );
  return bars.join("");
}

const round = (/** @type {number} */ value) => Math.round(value * 10) / 10;
