/**
 * How the events of a client's runs arrive: by a stream, by polls that the server holds, or by polls at intervals.
 *
 * A stream is distrusted if polls deliver what it does not, for example behind a buffering proxy; held polls if they are cut off.
 * Both are tried again after a while.
 */

/** How events are fetched. */
export type Mode = "stream" | "held" | "paced";

/** A try of a route that does not work costs a few seconds of silence. */
const AGAIN_MS = 120_000;

/** What all runs of one client have learned about their network. */
export class Route {
  #streamsFromMs = 0;
  #heldFromMs = 0;

  /** The route to take. `isCrowded`: there is no spare connection, not even for a held poll. */
  choose(nowMs: number, isCrowded: boolean): Mode {
    if (isCrowded) return "paced";
    if (nowMs >= this.#streamsFromMs) return "stream";
    return nowMs >= this.#heldFromMs ? "held" : "paced";
  }

  /** A poll delivered what a stream did not. */
  buffered(nowMs: number): void {
    this.#streamsFromMs = nowMs + AGAIN_MS;
  }

  /** A held poll was cut off. */
  cutOff(nowMs: number): void {
    this.#heldFromMs = nowMs + AGAIN_MS;
  }

  /** The network has changed or is back: every route is worth a try. */
  renew(): void {
    this.#streamsFromMs = this.#heldFromMs = 0;
  }
}
