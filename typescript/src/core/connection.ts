/** What a connection is like over time: when it counts as lost, how long to wait then, and what an answer means. */

import type { ActionError } from "./error.js";

/** What a page has of its server: `idle` before it is followed, `waiting` for the next try, `closed` for good. */
export type ConnectionState = "idle" | "connecting" | "open" | "waiting" | "closed";

/** The connection was lost, or the server said "later": worth repeating. Never leaves the client. */
export class Lost extends Error {
  readonly afterMs: number;
  readonly error: ActionError | undefined;

  constructor(message: string, afterMs: number = 0, error?: ActionError) {
    super(message);
    this.afterMs = afterMs;
    this.error = error;
  }

  /** What was lost, and why. */
  static by(reason: unknown, what: string): Lost {
    return new Lost(`${what}: ${reason instanceof Error ? reason.message : String(reason)}`);
  }
}

/** How long a client waits. */
export interface Patience {
  /** After so long without a byte a connection counts as lost: three of the server's keepalives. */
  readonly idleMs: number;
  /** The first wait; each is twice the one before, less up to half of it, at random. */
  readonly backoffMs: number;
  /** The longest wait that comes about in this way. */
  readonly backoffMaxMs: number;
  /** A connection that lives this long is a good one, and back-off begins anew. */
  readonly steadyMs: number;
  /** A server that asks for more is asked again after this long. */
  readonly longestWaitMs: number;
  /** What has been silent for this long when a page wakes up is not waited for. */
  readonly staleMs: number;
  /** How long a run may be without its server before it is given up. */
  readonly giveUpMs: number;
}

/** What holds unless a client says otherwise. */
export const PATIENCE: Patience = {
  idleMs: 45_000,
  backoffMs: 500,
  backoffMaxMs: 15_000,
  steadyMs: 5_000,
  longestWaitMs: 3_600_000,
  staleMs: 20_000,
  giveUpMs: Number.POSITIVE_INFINITY,
};

/** One run's connection, over all of its tries. Told what happens and when; decides, and does nothing itself. */
export class Connection {
  state: ConnectionState = "idle";
  trouble: string | undefined;
  readonly #patience: Patience;
  #retryMs: number;
  #failures = 0;
  #beganMs = 0;
  #heardMs = 0;
  #aloneMs: number | undefined;
  #hasEvents = false;

  constructor(patience: Patience) {
    this.#patience = patience;
    this.#retryMs = patience.backoffMs;
  }

  /** A request goes out. */
  begin(nowMs: number): void {
    this.#beganMs = this.#heardMs = nowMs;
    this.#hasEvents = false;
    if (this.state !== "open") this.state = "connecting";
  }

  /** Something came, if only a keepalive. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#aloneMs = undefined;
    this.state = "open";
    this.trouble = undefined;
  }

  /** What came were events. */
  moved(): void {
    this.#hasEvents = true;
  }

  /** The server named how long to wait before coming back. */
  retry(ms: number): void {
    this.#retryMs = Math.min(ms, this.#patience.longestWaitMs);
  }

  /** In how long the connection counts as lost if nothing comes. */
  idleInMs(nowMs: number): number {
    return this.#heardMs + this.#patience.idleMs - nowMs;
  }

  /** Whether a page that wakes up should rather connect anew. */
  isStale(nowMs: number): boolean {
    return nowMs - this.#heardMs > this.#patience.staleMs;
  }

  /** A poll was answered: the next comes in its own time. */
  answered(): void {
    this.#failures = 0;
  }

  /** The connection is gone. How long to wait before the next; undefined to give up. */
  lost(nowMs: number, { message, afterMs }: Pick<Lost, "message" | "afterMs">, chance: number): number | undefined {
    const { steadyMs, backoffMaxMs, longestWaitMs, giveUpMs } = this.#patience;
    const wasGood = this.#hasEvents || (this.state === "open" && nowMs - this.#beganMs > steadyMs);
    this.#failures = wasGood ? 1 : this.#failures + 1;
    this.#aloneMs ??= nowMs;
    this.state = "waiting";
    this.trouble = message;
    if (nowMs - this.#aloneMs >= giveUpMs) return undefined;
    const longest = Math.max(this.#retryMs, backoffMaxMs);
    const jittered = Math.min(this.#retryMs * 2 ** (this.#failures - 1), longest) * (0.5 + chance / 2);
    return Math.min(Math.max(afterMs, jittered), longestWaitMs);
  }

  /** Nobody follows for now. */
  rest(): void {
    this.state = "idle";
  }

  /** Nothing follows. */
  close(): void {
    this.state = "closed";
    this.trouble = undefined;
  }
}

const REPEATABLE: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);

/**
 * Whether repeating the request cannot change its answer.
 *
 * The same key gives the same run, so an error that is a started run's own end is one whatever its status.
 */
export function isFinal(status: number, error: ActionError, starts: boolean): boolean {
  if (starts && error.runId !== null) return true;
  return !REPEATABLE.has(status) && !(status === 500 && error.retryable);
}

/** What `Retry-After` says, in seconds or as a date; 0 where it says nothing. */
export function retryAfterMs(value: string | null, nowMs: number): number {
  if (value === null) return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Math.max(0, ms || 0);
}
