/** A list of the caller's runs that stays current, over as many connections as needed. Loaded when needed, so it imports nothing. */

import type { CallOptions, TransportName, WatchQuery } from "./contract.js";
import type { ActionError } from "./core/error.js";
import type { RunInfo } from "./core/event.js";
import type { Environment } from "./environment.js";
import type { Answer } from "./transports/carrier.js";

const LINES = "application/x-ndjson";
/** How often the list is polled while no stream comes through. */
const POLL_MS = 2_000;
/** How long no stream is tried after one that brought nothing; each wait is twice the previous one. */
const AGAIN_MS = 1_000;
const AGAIN_MAX_MS = 60_000;
/** How many runs are remembered, so that none is told again that is the same. */
const MOST_KNOWN = 1_000;
/** How many runs can be on the list: a page of the server, and those that came since. */
const MOST_LISTED = 400;

/** What this needs of its client. */
export interface Around {
  readonly environment: Environment;
  readonly transport: TransportName;
  readonly idleMs: number;
  readonly giveUpMs: number;
  readonly openingMs: number;
  readonly wire: {
    ask(path: string): Promise<unknown>;
    send(request: { readonly path: string; readonly headers: Readonly<Record<string, string>>; readonly signal: AbortSignal; readonly transport: TransportName }): Promise<Answer>;
  };
}

/**
 * The runs that match, newest first, then each that is new or has changed. Ends when the signal is aborted.
 *
 * While no stream comes through, because none can be opened or a proxy holds it back, the list is polled.
 */
export async function* watch(around: Around, query: WatchQuery = {}, { signal }: Pick<CallOptions, "signal"> = {}): AsyncGenerator<RunInfo, void> {
  const { environment, transport, giveUpMs } = around;
  const over = new AbortController();
  const stop = (): void => over.abort();
  signal?.addEventListener("abort", stop);
  if (signal?.aborted) stop();
  const source = new Source(around, query, over.signal);
  const list = new List(query, (id) => source.get(id));
  let metMs: number | undefined;
  let failures = 0;
  let streamMs = transport === "polling" ? Infinity : 0;
  try {
    while (!over.signal.aborted) {
      const streams = environment.now() >= streamMs;
      try {
        let isFirst = true;
        for await (const runs of streams ? source.stream() : source.poll()) {
          metMs = environment.now();
          if (streams) failures = 0;
          yield* isFirst ? list.renew(runs) : list.change(runs);
          isFirst = false;
        }
      } catch (reason) {
        if (over.signal.aborted) return;
        const isLate = metMs === undefined || environment.now() - metMs >= giveUpMs;
        if (!isLost(reason) && !(streams && source.fallBack()) && (isLate || !(reason as ActionError).retryable)) throw reason;
      }
      if (streams) streamMs = environment.now() + Math.min(AGAIN_MS * 2 ** failures++, AGAIN_MAX_MS) * (0.5 + environment.chance() / 2);
      else await pause(environment, POLL_MS, over.signal);
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    stop();
  }
}

/** Where the runs come from. */
class Source {
  readonly #around: Around;
  readonly #fields: [string, string][];
  readonly #signal: AbortSignal;
  /** A page that does not say otherwise watches over a WebSocket: it takes none of the connections that a browser has for streams. */
  #transport: TransportName;

  constructor(around: Around, query: WatchQuery, signal: AbortSignal) {
    this.#around = around;
    this.#fields = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
    this.#signal = signal;
    this.#transport = around.transport === "auto" ? "websocket" : around.transport;
  }

  /** What the page's own `fetch` adds, such as a header, a socket does not have: if that is refused, use `fetch`. Returns whether this changes anything. */
  fallBack(): boolean {
    const before = this.#transport;
    this.#transport = this.#around.transport;
    return this.#transport !== before;
  }

  async get(id: string): Promise<RunInfo> {
    return (await this.#unless(this.#around.wire.ask(`runs/${id}`))) as RunInfo;
  }

  /** One page. */
  async *poll(): AsyncGenerator<readonly RunInfo[]> {
    const page = await this.#unless(this.#around.wire.ask(this.#path()));
    yield (page as Page).runs;
  }

  /** The lines of one stream. Throws if it cannot be opened, is silent for too long, or breaks. */
  async *stream(): AsyncGenerator<readonly RunInfo[]> {
    const { wire, environment, openingMs, idleMs } = this.#around;
    const link = new AbortController();
    const leave = (): void => link.abort();
    this.#signal.addEventListener("abort", leave);
    // The server sends the first page at once: a stream that is silent for longer is held back on its way.
    let stopTimer = environment.after(openingMs, leave);
    const lost = aborted(link.signal);
    try {
      const request = { path: this.#path(["watch", "1"]), headers: { Accept: LINES }, signal: link.signal, transport: this.#transport };
      const answer = await Promise.race([wire.send(request), lost]);
      if (!answer.header("Content-Type")?.startsWith(LINES)) throw lostBy("Not a list of runs");
      const pieces = answer.pieces()[Symbol.asyncIterator]();
      const next = (): Promise<IteratorResult<string>> => Promise.race([pieces.next(), lost]);
      let rest = "";
      for (let piece = await next(); !piece.done; piece = await next()) {
        stopTimer();
        stopTimer = environment.after(idleMs, leave);
        const lines = (rest + piece.value).split("\n");
        rest = lines.pop() as string;
        for (const line of lines) if (line.trim()) yield (JSON.parse(line) as Page).runs;
      }
    } catch (reason) {
      throw reason instanceof TypeError || reason instanceof SyntaxError ? lostBy(reason.message) : reason;
    } finally {
      stopTimer();
      this.#signal.removeEventListener("abort", leave);
      leave();
    }
  }

  #path(...more: [string, string][]): string {
    return `runs?${new URLSearchParams([...this.#fields, ...more])}`;
  }

  /** What is asked for, unless nobody needs it any more. */
  #unless(asked: Promise<unknown>): Promise<unknown> {
    return Promise.race([asked, aborted(this.#signal)]);
  }
}

/** One page of the list, or one line of a stream. */
interface Page {
  readonly runs: readonly RunInfo[];
}

/** What the caller was told, and which runs are on the list. */
class List {
  readonly #query: WatchQuery;
  readonly #get: (id: string) => Promise<RunInfo>;
  readonly #known: Map<string, string> = new Map();
  readonly #listed: Set<string> = new Set();

  constructor(query: WatchQuery, get: (id: string) => Promise<RunInfo>) {
    this.#query = query;
    this.#get = get;
  }

  /** The news in a whole page, and then of the runs that have left the list meanwhile. */
  async *renew(page: readonly RunInfo[]): AsyncGenerator<RunInfo> {
    yield* this.change(page);
    const ids = new Set(page.map(({ id }) => id));
    for (const id of [...this.#listed].filter((each) => !ids.has(each))) {
      const left = await this.#get(id).catch((reason: ActionError) => {
        if (reason.code !== "NOT_FOUND") throw reason;
      });
      this.#listed.delete(id);
      if (left) yield* this.change([infoOf(left)]);
    }
  }

  /** The news in some runs. */
  change(runs: readonly RunInfo[]): RunInfo[] {
    for (const run of runs) {
      this.#listed.delete(run.id);
      if (this.#matches(run)) this.#listed.add(run.id);
    }
    trim(this.#listed, MOST_LISTED);
    return this.#news(runs);
  }

  #matches({ status, action, parent, labels }: RunInfo): boolean {
    const { label, ...wanted } = this.#query;
    const fits = <T>(found: T, one: T | undefined): boolean => one === undefined || found === one;
    return fits(status, wanted.status) && fits(action, wanted.action) && fits(parent, wanted.parent) && (label === undefined || labels.includes(label));
  }

  #news(runs: readonly RunInfo[]): RunInfo[] {
    return runs.filter((run) => {
      const now = JSON.stringify(run);
      const isSame = this.#known.get(run.id) === now;
      this.#known.delete(run.id);
      this.#known.set(run.id, now);
      trim(this.#known, MOST_KNOWN);
      return !isSame;
    });
  }
}

/** Forget the oldest. */
function trim(kept: Pick<Set<string>, "size" | "delete" | "keys">, most: number): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= most) return;
    kept.delete(oldest);
  }
}

/** The part of a snapshot that lists have, in their order. */
function infoOf({ id, action, parent, status, labels, attempt, seq, createdAt, startedAt, endedAt }: RunInfo): RunInfo {
  return { id, action, parent, status, labels, attempt, seq, createdAt, startedAt, endedAt };
}

/** Whether a connection was lost, so that a retry can help. */
function isLost(reason: unknown): boolean {
  return "afterMs" in (reason as object);
}

/** The reason of a connection that was lost. */
function lostBy(message: string): Error {
  return Object.assign(new Error(message), { afterMs: 0 });
}

/** Rejects when the signal is aborted: not everything that is awaited supports signals. */
function aborted(signal: AbortSignal): Promise<never> {
  const rejected = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(lostBy("aborted"));
    signal.addEventListener("abort", () => reject(lostBy("aborted")), { once: true });
  });
  rejected.catch(() => undefined);
  return rejected;
}

/** Wait; an abort, and a page that wakes up, end the wait early. */
function pause(environment: Environment, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      stopTimer();
      stopWaking();
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const stopTimer = environment.after(ms, wake);
    const stopWaking = environment.onWake(wake);
    signal.addEventListener("abort", wake);
  });
}
