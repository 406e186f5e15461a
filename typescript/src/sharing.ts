/**
 * Tabs of one origin that follow the same run over one connection.
 *
 * Every tab that follows a run requests a lock with its name. The tab that holds the lock reads the stream and sends each frame to the others;
 * the others request once what came before they listened, and again if they missed something. When a tab goes, for any reason,
 * the browser gives its lock to the next one, which resumes after the last frame that it got.
 * A tab that the system has suspended keeps its lock and reads nothing. So a tab that gets nothing asks the one with the lock for a sign of life,
 * and takes the lock if there is none. The suspended tab is told so when it runs again, and follows the others.
 */

import { fieldsOf, type RunEvent, type Snapshot } from "./core/event.js";
import { cursorOf, readCursor } from "./core/frame.js";
import { type Message, SSEDecoder } from "./core/sse.js";

/** How streams are shared. */
export interface SharingOptions {
  /** Tabs with the same name share: give each signed-in user a different one. */
  readonly name?: string | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
}

const EVENTS = /^(.*\/runs\/[^/?]+)\/events$/;
const LAST_WORDS_MS = 100;
/** How often a tab that gets nothing asks the reading tab for a sign of life. */
const ASK_MS = 1_000;
/** How many of these waits pass before it takes the lock. */
const PATIENCE = 2;
const KEEPALIVE = ": keepalive\n\n";
const TERMINAL: ReadonlySet<string> = new Set(["done", "error", "cancelled"]);

/**
 * Create a `fetch` with which all tabs of this origin follow a run over one connection:
 * `createClient({ url, fetch: shareStreams(), maxStreams: Infinity })`. A tab that gets its events from another holds no connection, so none has to be counted.
 *
 * It needs Web Locks and BroadcastChannel, which https and localhost have; elsewhere each tab has its own connection.
 */
export function shareStreams(options: SharingOptions = {}): typeof globalThis.fetch {
  const { name = "yieldwire", fetch = (...request) => globalThis.fetch(...request) } = options;
  return (input, init = {}) => {
    const [url, run] = EVENTS.exec(String(input)) ?? [];
    const cursor = new Headers(init.headers).get("Last-Event-ID") ?? "";
    const place = readCursor(cursor);
    const canShare = typeof BroadcastChannel !== "undefined" && typeof navigator !== "undefined" && navigator.locks !== undefined;
    if (url === undefined || run === undefined || !place || !canShare) return fetch(input, init);
    return new Shared({ name: `${name} ${url}`, url, run, init, fetch, cursor, ...place }).open();
  };
}

/** What tabs send each other: frames, a request for a sign of life, and the sign. */
type Sent = readonly Message[] | "ask" | "here";

interface Place {
  readonly name: string;
  readonly url: string;
  /** The run's own URL, which answers polls. */
  readonly run: string;
  readonly runId: string;
  readonly seq: number;
  readonly cursor: string;
  readonly init: RequestInit;
  readonly fetch: typeof globalThis.fetch;
}

/** One stream of this tab: read from the server, or received from the tab that reads it. */
class Shared {
  readonly #place: Place;
  readonly #channel: BroadcastChannel;
  readonly #over = new AbortController();
  readonly #body: ReadableStream<Uint8Array>;
  readonly #utf8 = new TextEncoder();
  #out!: ReadableStreamDefaultController<Uint8Array>;
  #seq: number;
  /** What to resume from. */
  #cursor: string;
  #turn: Promise<unknown> = Promise.resolve();
  /** How many waits have passed without a sign of life from the reading tab. */
  #silence = 0;
  #isAsked = false;
  #leading: Promise<void> | undefined;

  constructor(place: Place) {
    this.#place = place;
    this.#seq = place.seq;
    this.#cursor = place.cursor;
    this.#channel = new BroadcastChannel(place.name);
    this.#receive(() => undefined);
    this.#body = new ReadableStream({
      start: (controller) => void (this.#out = controller),
      cancel: () => this.#close(),
    });
    place.init.signal?.addEventListener("abort", () => this.#close(place.init.signal?.reason), { signal: this.#over.signal });
  }

  /** The answer: the server's own if it is not a stream, otherwise one that continues when another tab becomes the reader. */
  open(): Promise<Response> {
    const { name, url, init, fetch } = this.#place;
    return new Promise((resolve, reject) => {
      let mayAsk = false;
      const hold = (lock: Lock | null): Promise<void> => {
        mayAsk = true;
        return lock ? (this.#leading = this.#lead(resolve)) : this.#follow(resolve);
      };
      navigator.locks.request(name, { ifAvailable: true }, hold).catch((reason: unknown) => {
        this.#close(reason);
        if (mayAsk) reject(reason as Error);
        else resolve(fetch(url, init)); // there are no locks for this page, for example in a frame without an origin
      });
    });
  }

  /** Read from the server while it sends; the lock is held meanwhile. */
  async #lead(answer?: (response: Response) => void): Promise<void> {
    const { url, init, fetch } = this.#place;
    const headers = new Headers(init.headers);
    headers.set("Last-Event-ID", this.#cursor);
    const response = await fetch(url, { ...init, headers });
    const isStream = response.status === 200 && response.body && response.headers.get("Content-Type")?.startsWith("text/event-stream");
    answer?.(isStream ? new Response(this.#body, { headers: response.headers }) : response);
    if (isStream && response.body) await this.#read(response.body.getReader());
    this.#close();
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const decoder = new SSEDecoder();
    const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
    this.#over.signal.addEventListener("abort", () => void reader.cancel().catch(() => undefined));
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        const messages = decoder.feed(utf8.decode(part.value, { stream: true }));
        this.#tell(messages); // an empty list says that the stream is alive
        this.#put(messages, decoder.retryMs);
      }
    } catch (reason) {
      this.#close(reason);
    }
  }

  /** Receive what another tab reads, until that tab goes. */
  async #follow(answer: (response: Response) => void): Promise<void> {
    const heard: (readonly Message[])[] = [];
    this.#receive((messages) => heard.push(messages));
    const refused = await this.#catchUp();
    if (refused) {
      answer(refused);
      return this.#close();
    }
    answer(new Response(this.#body, { headers: { "Content-Type": "text/event-stream" } }));
    this.#receive((messages) => this.#hear(messages));
    this.#send(KEEPALIVE); // the stream works, even if its first event comes later
    for (const messages of heard) this.#hear(messages);
    this.#succeed();
  }

  /** Wait for the lock, or take it from a tab that shows no sign of life. */
  #succeed(): void {
    const { name } = this.#place;
    if (this.#over.signal.aborted) return;
    const queue = new AbortController();
    const lead = (): Promise<void> => {
      clearInterval(timer);
      return (this.#leading ??= this.#takeOver());
    };
    const request = (options: LockOptions): void => {
      // Not awaited: the callback that calls this belongs to a lock that was not granted.
      navigator.locks.request(name, options, lead).catch((reason: unknown) => options.signal?.aborted || this.#close(reason));
    };
    const timer = setInterval(() => {
      if (!this.#isAsked) this.#tell("ask"); // one question is enough for all tabs
      this.#isAsked = false;
      if (this.#silence++ < PATIENCE) return;
      clearInterval(timer);
      queue.abort();
      request({ steal: true });
    }, ASK_MS);
    this.#over.signal.addEventListener("abort", () => {
      clearInterval(timer);
      queue.abort();
    });
    request({ signal: queue.signal });
  }

  async #takeOver(): Promise<void> {
    // The lock can arrive before the last messages of its previous holder.
    await new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS));
    this.#receive(() => undefined);
    await this.#turn;
    // The client already has its answer; if this one is not a stream, the client gets it when it asks again.
    if (!this.#over.signal.aborted) await this.#lead();
  }

  /** Set what is done with frames from other tabs, and answer their questions. */
  #receive(take: (messages: readonly Message[]) => void): void {
    this.#channel.onmessage = ({ data }: MessageEvent<Sent>) => {
      if (data === "ask") {
        this.#isAsked = true;
        if (this.#leading) this.#tell("here");
        return;
      }
      this.#silence = 0;
      if (data !== "here") take(data);
    };
  }

  #tell(what: Sent): void {
    this.#channel.postMessage(what);
  }

  /** Take what another tab has read, in order, and request what was missed. */
  #hear(messages: readonly Message[]): void {
    this.#turn = this.#turn.then(async () => {
      const first = messages.find(({ type }) => type !== "run" && type !== "reset");
      if (first && (readCursor(first.id)?.seq ?? 0) > this.#seq + 1) await this.#catchUp();
      this.#put(messages);
    });
    this.#turn.catch((reason: unknown) => this.#close(reason));
  }

  /** Request everything after the cursor. Returns the answer if it failed, or if nothing more will come. */
  async #catchUp(): Promise<Response | undefined> {
    const { run, runId, init, fetch } = this.#place;
    const headers = new Headers(init.headers);
    headers.delete("Last-Event-ID");
    headers.set("Accept", "application/json");
    for (;;) {
      const response = await fetch(`${run}?after=${encodeURIComponent(this.#cursor)}`, { ...init, headers });
      if (!response.ok) return response;
      const { cursor, events = [], firstSeq, retryAfterMs } = fieldsOf(await response.json()) as Partial<Snapshot>;
      if (firstSeq !== undefined && firstSeq > this.#seq + 1) this.#reset(firstSeq);
      const idOf = ({ seq }: RunEvent, place: number): string => (place === events.length - 1 && cursor) || cursorOf(runId, seq);
      this.#put(events.map((event: RunEvent, place) => ({ id: idOf(event, place), type: event.type, data: JSON.stringify(event.data) })));
      if (retryAfterMs === null && !events.length) return new Response(null, { status: 204 });
      if (retryAfterMs !== 0) return undefined;
    }
  }

  #reset(firstSeq: number): void {
    this.#seq = firstSeq - 1;
    this.#cursor = cursorOf(this.#place.runId, this.#seq);
    this.#send(`id: ${this.#cursor}\nevent: reset\ndata: {"firstSeq":${firstSeq}}\n\n`);
  }

  /** Pass frames to this tab's client, each once. */
  #put(messages: readonly Message[], retryMs?: number): void {
    if (!messages.length) this.#send(KEEPALIVE);
    if (retryMs !== undefined) this.#send(`retry: ${retryMs}\n\n`);
    for (const { id, type, data } of messages) {
      const seq = readCursor(id)?.seq ?? 0;
      if (type === "reset") this.#reset(seq + 1);
      if (seq <= this.#seq && type !== "run") continue;
      if (type !== "run") [this.#seq, this.#cursor] = [seq, id]; // this tab can still be behind where another tab continues
      this.#send(`id: ${id}\n${type === "message" || type === "chunk" ? "" : `event: ${type}\n`}data: ${data}\n\n`);
      if (TERMINAL.has(type)) return this.#close();
    }
  }

  #send(text: string): void {
    if (!this.#over.signal.aborted) this.#out.enqueue(this.#utf8.encode(text));
  }

  #close(reason?: unknown): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#channel.close();
    try {
      if (reason === undefined) this.#out.close();
      else this.#out.error(reason);
    } catch {
      // The client has left already.
    }
  }
}
