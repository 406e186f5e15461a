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

  /** Whether it was the server that spoke, and nothing in its place. */
  get isTold(): boolean {
    return this.error !== undefined && this.error.code !== "HTTP_ERROR";
  }

  /** Whether there is a server: it spoke, or a proxy said that it is away for now. */
  get isMet(): boolean {
    return this.isTold || REPEATABLE.has(this.error?.statusCode ?? 0);
  }

  /** What was lost, and why. */
  static by(reason: unknown, what: string): Lost {
    return new Lost(`${what}: ${(reason as Partial<Error> | undefined)?.message ?? (reason as string)}`);
  }
}

/** The first wait; each is twice the one before, less up to half of it, at random. */
const BACKOFF_MS = 500;
/** The longest wait that comes about in this way. */
const BACKOFF_MAX_MS = 15_000;
/** A server that asks for more is asked again after this long. */
const LONGEST_WAIT_MS = 3_600_000;
/** A connection that lives this long is a good one, and back-off begins anew. */
const STEADY_MS = 5_000;
/** What has been silent for this long when a page wakes up is not waited for: a keepalive is overdue. */
const STALE_MS = 20_000;

/** How long to wait after so many failures in a row; `chance` is from 0 to 1. */
export function backoffMs(failures: number, chance: number, baseMs: number = BACKOFF_MS): number {
  const longestMs = Math.max(baseMs, BACKOFF_MAX_MS);
  return Math.min(baseMs * 2 ** (failures - 1), longestMs) * (0.5 + chance / 2);
}

/** One run's connection, over all of its tries. Told what happens and when; decides, and does nothing itself. */
export class Connection {
  state: ConnectionState = "idle";
  trouble: string | undefined;
  readonly #idleMs: number;
  readonly #giveUpMs: number;
  readonly #unmetMs: number;
  #isMet = false;
  #retryMs = BACKOFF_MS;
  #failures = 0;
  #beganMs = 0;
  #heardMs = 0;
  #aloneMs: number | undefined;
  #hasEvents = false;

  /**
   * `idleMs`: after so long without a byte a connection is lost; `giveUpMs`: after so long without a connection the run is;
   * `unmetMs`: the same for as long as nothing says that there is a server.
   */
  constructor(idleMs: number, giveUpMs: number, unmetMs: number = giveUpMs) {
    this.#idleMs = idleMs;
    this.#giveUpMs = giveUpMs;
    this.#unmetMs = unmetMs;
  }

  /** There is a server. */
  met(): void {
    this.#isMet = true;
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
    this.met();
    this.state = "open";
    this.trouble = undefined;
  }

  /** What came were events. */
  moved(): void {
    this.#hasEvents = true;
  }

  /** The server named how long to wait before coming back. */
  retry(ms: number): void {
    this.#retryMs = Math.min(ms || BACKOFF_MS, LONGEST_WAIT_MS);
  }

  /** In how long the connection counts as lost if nothing comes. */
  idleInMs(nowMs: number): number {
    return this.#heardMs + this.#idleMs - nowMs;
  }

  /** Whether a page that wakes up should rather connect anew. */
  isStale(nowMs: number): boolean {
    return nowMs - this.#heardMs > STALE_MS;
  }

  /** A poll was answered: the next comes in its own time. */
  answered(): void {
    this.#failures = 0;
  }

  /** The connection is gone. How long to wait before the next; undefined to give up. */
  lost(nowMs: number, { message, afterMs }: Pick<Lost, "message" | "afterMs">, chance: number): number | undefined {
    const wasGood = this.#hasEvents || (this.state === "open" && nowMs - this.#beganMs > STEADY_MS);
    this.#failures = wasGood ? 1 : this.#failures + 1;
    this.#aloneMs ??= nowMs;
    this.state = "waiting";
    this.trouble = message;
    if (nowMs - this.#aloneMs >= (this.#isMet ? this.#giveUpMs : this.#unmetMs)) return undefined;
    return Math.min(Math.max(afterMs, backoffMs(this.#failures, chance, this.#retryMs)), LONGEST_WAIT_MS);
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
/** What a proxy says of a body, an address or headers that are too large for it: they will be the next time. */
const TOO_LARGE: ReadonlySet<number> = new Set([413, 414, 431]);

/**
 * Whether repeating the request cannot change its answer.
 *
 * The same key gives the same run, so an error that is a started run's own end is one whatever its status.
 * What something on the way says in the server's place is nothing about the run.
 */
export function isFinal(status: number, error: ActionError, starts: boolean): boolean {
  if (error.code === "HTTP_ERROR") return TOO_LARGE.has(status);
  return (starts && error.runId !== null) || !(REPEATABLE.has(status) || (status === 500 && error.retryable));
}

/** What `Retry-After` says, in seconds or as a date; 0 where it says nothing. */
export function retryAfterMs(value: string | null, nowMs: number): number {
  const ms = Number(value) >= 0 ? Number(value) * 1000 : Date.parse(value ?? "") - nowMs;
  return Math.max(0, ms || 0);
}
