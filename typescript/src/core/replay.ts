/**
 * The events that a run keeps for iterations that start late: a linked list, so that each reader has its own pace,
 * and items removed from its head stay available to those who are still reading them.
 */

/** A place between two events; `event` is the one before it. */
export interface Place<Event> {
  readonly event: Event | undefined;
  next: Place<Event> | undefined;
}

/** The newest events, up to a number. */
export class Replay<Event> {
  /** The place before the first kept event. */
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
