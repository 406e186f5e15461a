/** A connection over time: when it counts as lost, how long to wait then, and what an answer means. */

import type { ActionError } from "./error.js";

/** The connection of a page to its server: `idle` before the run is followed, `waiting` for the next try, `closed` for good. */
export type ConnectionState = "idle" | "connecting" | "open" | "waiting" | "closed";

const LOST = "The connection was lost";

/** The connection was lost, or the server asked to retry later. Never leaves the client. */
export class Lost extends Error {
  declare readonly afterMs: number;
  declare readonly error: ActionError | undefined;
  /** Whether the server itself answered, and not something in its place. */
  declare readonly isTold: boolean;
  /** Whether there is a server: it answered, or a proxy said that it is temporarily away. */
  declare readonly isMet: boolean;

  constructor(message: string = LOST, afterMs: number = 0, error?: ActionError) {
    super(message);
    this.afterMs = afterMs;
    this.error = error;
    this.isTold = error !== undefined && error.code !== "HTTP_ERROR";
    this.isMet = this.isTold || REPEATABLE.includes(error?.statusCode ?? 0);
  }

  /** What was lost, and why. */
  static by(reason: unknown, what: string = LOST): Lost {
    return reason instanceof Lost ? reason : new Lost(`${what}: ${(reason as Partial<Error> | undefined)?.message ?? (reason as string)}`);
  }
}

/** The first wait; each is twice the previous one, minus a random part of up to half of it. */
const BACKOFF_MS = 500;
/** The longest wait by back-off. */
const BACKOFF_MAX_MS = 15_000;
/** The longest wait that a server can ask for. */
const LONGEST_WAIT_MS = 3_600_000;
/** A connection that lives this long, or longer than the wait before it, is a good one, and back-off starts over. */
const STEADY_MS = 5_000;
/** How long a connection is gone until this counts as trouble: a clean cut by a proxy does not. */
const GRACE_MS = 1_000;

/** How long to wait after this many failures in a row; `chance` is from 0 to 1. */
export function backoffMs(failures: number, chance: number, baseMs: number = BACKOFF_MS): number {
  return Math.min(baseMs * 2 ** (failures - 1), Math.max(baseMs, BACKOFF_MAX_MS)) * (0.5 + chance / 2);
}

/** One run's connection, over all of its tries. It is told what happens and when; it decides, and has no effects. */
export class Connection {
  state: ConnectionState = "idle";
  declare trouble: string | undefined;
  readonly #giveUpMs: number;
  /** How long without a connection until the run is given up, as far as is known. */
  #patienceMs: number;
  #retryMs = BACKOFF_MS;
  #failures = 0;
  #waitMs = 0;
  #cause: string | undefined;
  #beganMs = 0;
  #heardMs = 0;
  #aloneMs: number | undefined;

  /**
   * `giveUpMs`: how long without a connection until the run is given up; `unmetMs`: the same until something shows that there is a server.
   */
  constructor(giveUpMs: number, unmetMs: number = giveUpMs) {
    this.#giveUpMs = giveUpMs;
    this.#patienceMs = unmetMs;
  }

  /** There is a server. */
  met(): void {
    this.#patienceMs = this.#giveUpMs;
  }

  /** A request is sent. */
  begin(nowMs: number): void {
    this.#beganMs = this.#heardMs = nowMs;
    if (this.state !== "open") this.state = "connecting";
  }

  /** Something arrived, even if only a keepalive. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#aloneMs = undefined;
    this.met();
    this.state = "open";
    this.trouble = this.#cause = undefined;
  }

  /** The server set the wait before the next connection. */
  retry(ms: number): void {
    this.#retryMs = Math.min(ms || BACKOFF_MS, LONGEST_WAIT_MS);
  }

  /** It is gone since the last byte: a check of its silence has failed. */
  failed(): void {
    this.#aloneMs ??= this.#heardMs;
  }

  /** How long nothing has arrived. */
  silentMs(nowMs: number): number {
    return nowMs - this.#heardMs;
  }

  /** A poll was answered: the next one is sent at its own time. */
  answered(): void {
    this.#failures = 0;
  }

  /** The connection is gone. Returns how long to wait before the next, or undefined to give up. */
  lost(nowMs: number, { message, afterMs }: Pick<Lost, "message" | "afterMs">, chance: number): number | undefined {
    if (this.state === "open" && nowMs - this.#beganMs > Math.min(this.#waitMs, STEADY_MS)) this.#failures = 0;
    this.#failures++;
    this.#aloneMs ??= nowMs;
    this.state = "waiting";
    this.#cause = message;
    if (afterMs || nowMs - this.#aloneMs >= GRACE_MS) this.worry();
    if (nowMs - this.#aloneMs >= this.#patienceMs) return undefined;
    return (this.#waitMs = Math.min(Math.max(afterMs, backoffMs(this.#failures, chance, this.#retryMs)), LONGEST_WAIT_MS));
  }

  /** If the connection is gone, say why: it has been gone for long enough. */
  worry(): void {
    this.trouble = this.#cause;
  }

  /** The run is no longer followed. */
  close(): void {
    this.state = "closed";
    this.trouble = undefined;
  }
}

const REPEATABLE: readonly number[] = [408, 425, 429, 502, 503, 504];
/** A proxy's answers to a body, URL or headers that are too large for it: a retry gets the same answer. */
const TOO_LARGE: readonly number[] = [413, 414, 431];

/**
 * Whether repeating the request cannot change its answer.
 *
 * The same key gives the same run, so an error that is a started run's own end is final whatever its status.
 * An inbox that is full stays so, as messages are kept.
 * An answer from something in the server's place says nothing about the run.
 */
export function isFinal(status: number, error: ActionError, starts: boolean): boolean {
  if (error.code === "HTTP_ERROR") return TOO_LARGE.includes(status);
  return (starts && error.runId !== null) || error.code === "INBOX_FULL" || !(REPEATABLE.includes(status) || (status === 500 && error.retryable));
}

/** The value of `Retry-After`, in seconds or as a date; 0 if there is none. */
export function retryAfterMs(value: string | null, nowMs: number): number {
  const seconds = Number(value); // 0 without a value
  return Math.max(0, (seconds >= 0 ? seconds * 1000 : Date.parse(value as string) - nowMs) || 0);
}
