/**
 * Which way the events of a client's runs come: a stream, polls that the server holds, or polls at a pace.
 *
 * A stream is distrusted when polls bring what it does not, as where something on the way buffers; held polls when they are cut off.
 * Both are tried again after a while.
 */

/** How events are fetched. */
export type Mode = "stream" | "held" | "paced";

/** A try of what does not work costs a few seconds of silence. */
const AGAIN_MS = 120_000;

/** What all runs of one client have learned of their network. */
export class Route {
  #streamsFromMs = 0;
  #heldFromMs = 0;

  /** The way to take. `isCrowded`: no connection is to spare, not even for a poll that is held. */
  choose(nowMs: number, isCrowded: boolean): Mode {
    if (isCrowded) return "paced";
    if (nowMs >= this.#streamsFromMs) return "stream";
    return nowMs >= this.#heldFromMs ? "held" : "paced";
  }

  /** A poll brought what a stream did not. */
  buffered(nowMs: number): void {
    this.#streamsFromMs = nowMs + AGAIN_MS;
  }

  /** A held poll was cut off. */
  cutOff(nowMs: number): void {
    this.#heldFromMs = nowMs + AGAIN_MS;
  }

  /** The network is another, or back: everything is worth a try. */
  renew(): void {
    this.#streamsFromMs = this.#heldFromMs = 0;
  }
}
