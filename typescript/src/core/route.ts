/**
 * Which way the events of a client's runs come: a stream, polls that the server holds, or polls at a pace.
 *
 * A stream is distrusted when polls bring what it does not, as where something on the way buffers; held polls when they are cut off.
 * Both are tried again after a while, each time after a longer one.
 */

/** How events are fetched. */
export type Mode = "stream" | "held" | "paced";

const AGAIN_MS = 60_000;
const AGAIN_MAX_MS = 15 * 60_000;

/** One way's standing: until when it is left alone. */
class Trust {
  #againMs = 0;
  #pauseMs = AGAIN_MS;

  isGood(nowMs: number): boolean {
    return nowMs >= this.#againMs;
  }

  lose(nowMs: number): void {
    this.#againMs = nowMs + this.#pauseMs;
    this.#pauseMs = Math.min(this.#pauseMs * 2, AGAIN_MAX_MS);
  }

  restore(): void {
    this.#againMs = 0;
    this.#pauseMs = AGAIN_MS;
  }
}

/** What all runs of one client have learned of their network. */
export class Route {
  readonly #streams: Trust = new Trust();
  readonly #held: Trust = new Trust();

  /** The way to take. `isCrowded`: no connection is to spare, not even for a poll that is held. */
  choose(nowMs: number, isCrowded: boolean): Mode {
    if (isCrowded) return "paced";
    if (this.#streams.isGood(nowMs)) return "stream";
    return this.#held.isGood(nowMs) ? "held" : "paced";
  }

  /** A poll brought what a stream did not. */
  buffered(nowMs: number): void {
    this.#streams.lose(nowMs);
  }

  /** A stream brought its opening in time. */
  flowed(): void {
    this.#streams.restore();
  }

  /** A held poll was cut off, or answered. */
  held(nowMs: number, wasAnswered: boolean): void {
    if (wasAnswered) this.#held.restore();
    else this.#held.lose(nowMs);
  }

  /** The network is another, or back: everything is worth a try. */
  renew(): void {
    this.#streams.restore();
    this.#held.restore();
  }
}
