/**
 * The events that a run keeps for iterations that start late: a linked list, so that each reader has its own pace,
 * and items removed from its head stay available to those who are still reading them.
 */

/** The maximum size of the kept events, in characters of JSON, if `keep` is not set. */
const KEPT_BYTES = 2 ** 22;

/** A place between two events; `event` is the one before it. */
export interface Place<Event> {
  readonly event?: Event;
  /** The number of events up to here. A large event counts as several, so that the limit holds for bytes too. */
  readonly count: number;
  next?: Place<Event>;
}

/** The newest events: at most `keep`, or a default number and 4 MiB if that is not set. */
export class Replay<Event extends { readonly seq: number }> {
  /** The place before the first kept event. */
  oldest: Place<Event> = { count: 0 };
  #newest: Place<Event> = this.oldest;
  /** How many events there were, those that are no longer kept too. */
  total = 0;
  /** Where events follow each other without a gap in their seqs: the first seq, and how many events there were before. */
  readonly #spans: (readonly [seq: number, before: number])[] = [];
  readonly #isGiven: boolean;
  readonly #limit: number;

  constructor(keep: number | undefined, most: number) {
    this.#isGiven = keep !== undefined;
    this.#limit = keep ?? most;
  }

  /** Keep an event. */
  add(event: Event): void {
    if (event.seq - 1 !== this.#newest.event?.seq) this.#spans.push([event.seq, this.total]);
    this.total++;
    const weight = this.#isGiven ? 1 : Math.max(1, (JSON.stringify(event).length * this.#limit) / KEPT_BYTES);
    this.#newest = this.#newest.next = { event, count: this.#newest.count + weight };
    while (this.oldest.next && this.#newest.count - this.oldest.count > this.#limit) this.oldest = this.oldest.next;
  }

  /** Forget the events after `seq`; those who have begun to read still get them. */
  cut(seq: number): void {
    let at = this.oldest;
    while (at.next?.event && at.next.event.seq <= seq) at = at.next;
    delete at.next;
    this.#newest = at;
    const spans = this.#spans;
    while ((spans.at(-1)?.[0] as number) > seq) this.total = spans.pop()?.[1] as number;
    const [first, before] = spans.at(-1) ?? [seq, -1];
    this.total = Math.min(this.total, before + 1 + seq - first);
  }

  /** The kept events. */
  *[Symbol.iterator](): Generator<Event> {
    for (let at = this.oldest.next; at; at = at.next) yield at.event as Event;
  }
}
