/**
 * The events that a run keeps for iterations that begin late: a linked list, so that any number of readers go at their own pace,
 * and what is cut off its head stays with those who are still reading it.
 */

/** A place between two events; `event` is the one before it. */
export interface Place<Event> {
  readonly event: Event | undefined;
  next: Place<Event> | undefined;
}

/** The newest events, up to a number. */
export class Replay<Event> {
  /** Before the first event that is kept. */
  oldest: Place<Event> = { event: undefined, next: undefined };
  #newest: Place<Event> = this.oldest;
  #kept = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Keep an event. */
  add(event: Event): void {
    this.#newest = this.#newest.next = { event, next: undefined };
    if (++this.#kept > this.#limit && this.oldest.next) this.oldest = this.oldest.next;
  }
}
