/**
 * The browser client: calls actions and follows their runs. An ES module without dependencies.
 *
 *     import { createClient } from "/api/_actions/client.js";
 *     const actions = createClient({ url: "/api/_actions" });
 *     const run = actions.importContacts({ file });
 *     for await (const progress of run) bar.value = progress.percent;
 *     const summary = await run.result();
 *
 * Theory of operation. A `Run` owns one loop. Until the run's id is known the loop repeats the request that starts it,
 * always with the same Idempotency-Key, so that a lost answer never starts a second run; from then on it reads
 * `runs/{id}/events` after its cursor. Only a terminal event, or an answer that repeating cannot change, ends the loop:
 * the end of a body is never the end of a run. The cursor moves with whole frames, because the decoder gives out
 * nothing else. Events stand in a linked list, so that any number of iterators read at their own pace.
 */

const IDLE_MS = 45_000; // three of the server's keepalives, which come every 15 s
const BACKOFF_MS = 500;
const BACKOFF_MAX_MS = 15_000;
const WAIT_MAX_MS = 3_600_000; // a Retry-After beyond an hour is asked again after an hour
const STEADY_MS = 5_000; // a connection that lived this long was a good one, and back-off begins anew
const POLL_MS = 500;
const KEPT_EVENTS = 10_000; // an iterator made late sees at most so many past events
const FRAME_LIMIT = 64 * 1024 * 1024; // characters of one frame
const TRIES = 5; // of a short request: stop, snapshot, list
const REPEATABLE = new Set([408, 425, 429, 502, 503, 504]);
const ENDS = { done: "completed", error: "failed", cancelled: "cancelled" };
const ENDED = new Set(Object.values(ENDS));

/** What went wrong, as the server said it. `code` is stable, `message` is for people. */
export class ActionError extends Error {
  constructor({ code = "INTERNAL_ERROR", message, statusCode = 0, retryable = false, ...rest } = {}) {
    super(message ?? code);
    this.name = "ActionError";
    Object.assign(this, { code, statusCode, retryable });
    for (const field of ["fieldErrors", "data", "runId", "errorId"]) this[field] = rest[field] ?? null;
  }
}

/** The text that a chunk adds to its run: a string, or what a `text` or an `append` chunk carries. */
export function textOf(chunk) {
  const text = chunk?.type === "text" || chunk?.type === "append" ? chunk.text : chunk;
  return typeof text === "string" ? text : "";
}

/** The connection was lost, or the server said "later": worth repeating. Never leaves this module. */
class Lost extends Error {
  constructor(message, afterMs = 0) {
    super(message);
    this.afterMs = afterMs;
  }
}

/**
 * Incremental decoder of server-sent events (WHATWG HTML 9.2.6): bytes in, whole frames out.
 *
 * Linear in its input however that is cut: the pieces of a line are joined once, when the line ends.
 * A frame that the end of the input cuts off is never given out.
 */
export class SSEDecoder {
  /** The newest `retry:` in milliseconds, or null. */
  retryMs = null;
  lastEventId = "";
  #utf8 = new TextDecoder(); // takes away one leading byte order mark, as the standard wants
  #pieces = [];
  #afterCR = false;
  #id = "";
  #type = "";
  #data = [];
  #size = 0;
  #limit;

  constructor({ limit = FRAME_LIMIT } = {}) {
    this.#limit = limit;
  }

  /** Take bytes, return the frames that they complete: `{id, type, data}`, type "message" if none was named. */
  feed(bytes) {
    const frames = [];
    const text = this.#utf8.decode(bytes, { stream: true });
    let start = 0;
    if (this.#afterCR && text) {
      if (text[0] === "\n") start = 1; // the second half of a CR LF that was cut in two
      this.#afterCR = false;
    }
    const ending = /\r\n?|\n/g;
    for (;;) {
      ending.lastIndex = start;
      const found = ending.exec(text);
      this.#grow(text.slice(start, found ? found.index : undefined));
      if (!found) return frames;
      const line = this.#pieces.join("");
      this.#pieces = [];
      this.#line(line, frames);
      start = ending.lastIndex;
      this.#afterCR = found[0] === "\r" && start === text.length;
    }
  }

  #grow(piece) {
    if (!piece) return;
    this.#size += piece.length;
    if (this.#size > this.#limit) {
      throw new ActionError({ code: "PROTOCOL_ERROR", message: `A frame is longer than ${this.#limit} characters.` });
    }
    this.#pieces.push(piece);
  }

  #line(line, frames) {
    if (line === "") return this.#dispatch(frames);
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (field === "data") this.#data.push(value);
    else this.#size -= line.length; // only data is kept until the frame ends
    if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) this.retryMs = Number(value);
  }

  #dispatch(frames) {
    this.lastEventId = this.#id;
    if (this.#data.length) {
      frames.push({ id: this.#id, type: this.#type || "message", data: this.#data.join("\n") });
    }
    this.#type = "";
    this.#data = [];
    this.#size = 0;
  }
}

/** One execution of an action, as this page sees it: an async iterable of its chunks. */
export class Run {
  id = null;
  action = null;
  /** pending, running, completed, failed or cancelled. */
  status = "pending";
  attempt = 1;
  seq = 0;
  /** The first event that the log still has; above 1 when older ones were trimmed. */
  firstSeq = 1;
  text = "";
  progress = null;
  error = null;
  /** connecting, open, waiting (for the next try; `trouble` says why) or closed. */
  connection = "connecting";
  trouble = null;
  #wire;
  #start;
  #transport;
  #cursor = null;
  #oldest = { event: null, next: null };
  #newest = this.#oldest;
  #kept = 0;
  #wake = null;
  #listeners = new Set();
  #link = new AbortController();
  #over = new AbortController();
  #timer = null;
  #retryMs = BACKOFF_MS;
  #left = null;
  #broken = null;
  #value = null;
  #known = deferred();
  #outcome = deferred();

  constructor(
    wire,
    { action = null, status = "pending", start = null, id = null, cursor = null, signal, transport = "stream" },
  ) {
    this.#wire = wire;
    Object.assign(this, { action, status });
    this.#start = start;
    this.#transport = transport;
    if (id !== null) this.#identify(id, cursor ?? `${id}.0`);
    if (signal?.aborted) this.detach(signal.reason);
    signal?.addEventListener("abort", () => this.detach(signal.reason), { signal: this.#over.signal });
    void this.#follow();
  }

  /** What to keep in order to continue elsewhere: `client.attach(run.id, run.cursor)`. Opaque. */
  get cursor() {
    return this.#cursor;
  }

  get isTerminal() {
    return ENDED.has(this.status);
  }

  /** The value the action ended with. Rejects with an ActionError if it failed, was cancelled or was refused. */
  result() {
    return this.#outcome.promise;
  }

  /** Every event as `{seq, type, data}`, the terminal one too. Throws only when the log cannot be read on. */
  async *events() {
    let place = this.#oldest;
    for (;;) {
      while (place.next) yield (place = place.next).event;
      if (this.connection === "closed") break;
      await (this.#wake ??= deferred()).promise;
    }
    if (this.#broken) throw this.#broken;
  }

  async *[Symbol.asyncIterator]() {
    for await (const { type, data } of this.events()) {
      if (type === "chunk") yield data;
      else if (type === "error" || type === "cancelled") throw new ActionError(data);
    }
    if (this.error) throw this.error;
  }

  /** Call `listener(run)` after every change; returns the function that ends this. */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Cancel the run. The last event then says `cancelled`. Returns the snapshot. */
  async stop() {
    await this.#known.promise;
    const body = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
    const snapshot = await this.#wire.json(`${this.#path}/cancel`, body);
    if (this.#left && ENDED.has(snapshot.status)) this.#conclude(snapshot);
    return snapshot;
  }

  snapshot() {
    return this.#known.promise.then(() => this.#wire.json(this.#path));
  }

  /** Stop reading, without cancelling: the run goes on, for its `linger` at least. */
  detach(reason = new DOMException("The run is no longer followed.", "AbortError")) {
    if (this.connection === "closed") return;
    this.#left = reason;
    this.#link.abort();
  }

  get #path() {
    return `runs/${encodeURIComponent(this.id)}`;
  }

  async #follow() {
    for (let failures = 0; this.connection !== "closed";) {
      const seq = this.seq;
      const since = Date.now();
      let pauseMs = 0;
      try {
        if (this.#left) throw this.#left;
        this.#link = new AbortController();
        if (this.id === null) await this.#begin();
        else pauseMs = await this.#resume();
        failures = 0;
      } catch (reason) {
        if (this.#left || !(reason instanceof Lost)) return this.#close(this.#left ?? reason);
        failures = this.seq > seq || Date.now() - since > STEADY_MS ? 1 : failures + 1;
        pauseMs = Math.max(reason.afterMs, jitter(this.#retryMs, failures));
        this.trouble = reason.message;
      } finally {
        clearTimeout(this.#timer);
        this.#link.abort();
      }
      if (pauseMs && this.connection !== "closed") await this.#pause(Math.min(pauseMs, WAIT_MAX_MS));
    }
  }

  async #pause(ms) {
    this.#link = new AbortController();
    if (this.trouble) this.connection = "waiting";
    this.#notify();
    if (!this.#left) await this.#wire.wait(ms, this.#link.signal);
    if (this.trouble) this.connection = "connecting";
  }

  /** Cuts a connection over which not even a keepalive comes. */
  #watch() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#link.abort(), this.#wire.idleMs);
  }

  async #begin() {
    const { body } = this.#start;
    if (!(body instanceof FormData)) this.#watch(); // an upload may take its time
    const response = await this.#wire.send({ ...this.#start, starts: true, signal: this.#link.signal });
    const id = response.headers.get("Run-Id");
    if (id) this.#identify(id, `${id}.0`);
    await this.#take(response);
  }

  async #resume() {
    this.#watch();
    if (this.#transport === "poll") return this.#poll();
    const headers = { Accept: "text/event-stream", "Last-Event-ID": this.#cursor };
    await this.#take(await this.#wire.send({ path: `${this.#path}/events`, headers, signal: this.#link.signal }));
    return 0;
  }

  async #take(response) {
    if (response.status === 204) {
      const snapshot = await this.#wire.json(this.#path, { signal: this.#link.signal });
      if (!ENDED.has(snapshot.status)) throw new Lost("The server had nothing to send.");
      return this.#conclude(snapshot);
    }
    if (response.headers.get("Content-Type")?.startsWith("text/event-stream")) return this.#read(response.body);
    const answer = await jsonOf(response);
    const id = answer.runId ?? answer.id;
    if (this.id === null && id) this.#identify(id, `${id}.0`);
    if (this.id === null) throw new ActionError({ code: "PROTOCOL_ERROR", message: "The answer names no run." });
    // An answer without a stream, a 202 or a short JSON: the events are read from the log, from the start.
  }

  async #read(body) {
    const decoder = new SSEDecoder();
    const reader = body.getReader();
    this.#opened();
    for (;;) {
      this.#watch();
      const { done, value } = await reader.read().catch((reason) => {
        throw new Lost(`The connection was lost: ${reason?.message ?? reason}`);
      });
      if (done) throw new Lost("The answer ended before the run did.");
      for (const frame of decoder.feed(value)) this.#frame(frame);
      if (decoder.retryMs !== null) this.#retryMs = Math.min(decoder.retryMs, WAIT_MAX_MS);
      this.#notify();
      if (this.connection === "closed") return;
    }
  }

  /** One poll. Returns how long to wait before the next. */
  async #poll() {
    const query = { after: this.#cursor };
    const snapshot = await jsonOf(await this.#wire.send({ path: this.#path, query, signal: this.#link.signal }));
    this.#opened();
    if (snapshot.firstSeq > this.seq + 1) this.#trimmed(snapshot.firstSeq);
    for (const event of snapshot.events) this.#append(event, `${this.id}.${event.seq}`);
    if (!snapshot.events.length && ENDED.has(snapshot.status)) this.#conclude(snapshot);
    if (!this.isTerminal) this.status = snapshot.status;
    this.#notify();
    return ENDED.has(snapshot.status) ? 0 : (snapshot.retryAfterMs ?? POLL_MS);
  }

  #opened() {
    this.connection = "open";
    this.trouble = null;
    this.#notify();
  }

  #identify(id, cursor) {
    this.id = id;
    this.#cursor = cursor;
    this.seq = seqOf(cursor);
    this.#known.resolve();
  }

  #trimmed(firstSeq) {
    this.firstSeq = firstSeq;
    this.seq = firstSeq - 1;
    this.#cursor = `${this.id}.${this.seq}`;
  }

  #frame({ id, type, data }) {
    let value;
    try {
      value = JSON.parse(data);
    } catch {
      throw new ActionError({
        code: "PROTOCOL_ERROR",
        message: `The data of event ${id} is not JSON.`,
        runId: this.id,
      });
    }
    if (type === "run") {
      if (this.id === null || seqOf(id) > this.seq) this.#identify(value.id, id);
      this.action = value.action ?? this.action;
      this.firstSeq = value.firstSeq ?? this.firstSeq;
      if (!ENDED.has(value.status)) this.status = value.status;
    } else if (type === "reset") this.#trimmed(value.firstSeq);
    else this.#append({ seq: seqOf(id), type: type === "message" ? "chunk" : type, data: value }, id);
  }

  #append(event, cursor) {
    if (this.connection === "closed" || !(event.seq > this.seq)) return; // repeated by something on the way
    this.seq = event.seq;
    this.#cursor = cursor;
    this.#newest = this.#newest.next = { event, next: null };
    if (++this.#kept > KEPT_EVENTS) this.#oldest = this.#oldest.next;
    const { type, data } = event;
    if (type === "chunk") {
      this.status = "running";
      this.text += textOf(data);
      if (data?.type === "progress") this.progress = data;
    } else if (type === "restarted") {
      Object.assign(this, { attempt: data.attempt, status: "pending", text: "", progress: null });
    } else if (type in ENDS) {
      this.status = ENDS[type];
      if (type === "done") this.#value = data?.result ?? null;
      this.#close(type === "done" ? null : new ActionError(data), { isEvent: true });
    }
  }

  /** Take the outcome from a snapshot, when the log has no more to say. */
  #conclude({ status, seq, text, progress, result, error }) {
    Object.assign(this, { status, seq, progress: progress ?? this.progress, text: text ?? this.text });
    this.#value = result ?? null;
    this.error = null;
    this.#close(status === "completed" ? null : new ActionError(error ?? { code: "INTERNAL_ERROR" }), {
      isEvent: true,
    });
  }

  #close(error, { isEvent = false } = {}) {
    if (error && !isEvent) this.#broken = error;
    if (this.id === null && error?.runId) this.#identify(error.runId, `${error.runId}.0`);
    this.error = error === this.#left ? null : error;
    if (this.error && (this.id === null || this.error.runId === this.id)) this.status = ENDS.error;
    if (this.error?.code === "CANCELLED") this.status = ENDS.cancelled;
    if (this.id === null) this.#known.reject(error);
    if (error) this.#outcome.reject(error);
    else this.#outcome.resolve(this.#value);
    Object.assign(this, { connection: "closed", trouble: null });
    this.#over.abort();
    this.#notify();
  }

  #notify() {
    const wake = this.#wake;
    this.#wake = null;
    wake?.resolve();
    for (const listener of this.#listeners) queueMicrotask(() => listener(this)); // its fault must not end the reading
  }
}

/** Requests to one mounted application. */
class Wire {
  constructor({
    url,
    headers = {},
    fetch = (...request) => globalThis.fetch(...request),
    wait = pause,
    idleMs = IDLE_MS,
  }) {
    const base = new URL(url, globalThis.location?.href);
    if (!base.pathname.endsWith("/")) base.pathname += "/";
    Object.assign(this, { base, headers, fetch, wait, idleMs });
  }

  /** One request. Throws Lost where repeating may help, and an ActionError where it cannot. */
  async send({ path, query = {}, method = "GET", headers = {}, body, signal, starts = false }) {
    const url = new URL(path, this.base);
    url.search = queryOf(query);
    const all = new Headers(typeof this.headers === "function" ? await this.headers() : this.headers);
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    const response = await this.fetch(url.href, { method, headers: all, body, signal, cache: "no-store" }).catch(
      (reason) => {
        throw new Lost(`The server cannot be reached: ${reason?.message ?? reason}`);
      },
    );
    if (response.ok) return response;
    const error = await errorOf(response);
    // The same key gives the same run, so repeating cannot change how a run that was started has ended.
    const isFinal = starts && error.runId !== null;
    const isRepeatable = REPEATABLE.has(response.status) || (response.status === 500 && error.retryable);
    if (isFinal || !isRepeatable) throw error;
    throw Object.assign(new Lost(error.message, retryAfterMs(response)), { cause: error });
  }

  /** A short request that may be repeated; its JSON answer. */
  async json(path, request = {}) {
    for (let failures = 1; ; failures++) {
      try {
        return await jsonOf(
          await this.send({ path, ...request, headers: { Accept: "application/json", ...request.headers } }),
        );
      } catch (reason) {
        if (!(reason instanceof Lost) || request.signal?.aborted) throw reason;
        if (failures === TRIES)
          throw reason.cause ?? new ActionError({ code: "UNAVAILABLE", message: reason.message, retryable: true });
        await this.wait(Math.max(reason.afterMs, jitter(BACKOFF_MS, failures)), request.signal);
      }
    }
  }
}

/**
 * Make a client of the actions mounted at `url`. Any method that is not named here is an action of that name.
 *
 * `headers` is an object, or a function that returns one (it may be async) and is asked before every request.
 * A call takes `(input, {signal, idempotencyKey, detached, transport})`: `signal` ends the reading, not the run; `detached`
 * lets the run go on without readers; `transport: "poll"` holds no connection open.
 */
export function createClient(options) {
  const wire = new Wire(options);
  const call = (method, action, input, { signal, idempotencyKey = newKey(), detached = false, transport } = {}) => {
    const headers = { Accept: "text/event-stream", "Idempotency-Key": idempotencyKey };
    if (transport === "poll") Object.assign(headers, { Accept: "application/json", Prefer: "wait=0" });
    if (detached) headers.Prefer = "respond-async";
    const start = { path: encodeURIComponent(action), method, headers };
    if (method === "GET") start.query = input;
    else start.body = bodyOf(input);
    if (typeof start.body === "string") headers["Content-Type"] = "application/json";
    return new Run(wire, { action, start, signal, transport });
  };
  const verbs = {
    start: (action, input, settings) => call("POST", action, input, settings),
    open: (action, input, settings) => call("GET", action, input, settings), // a feed
    // What is known of the run already, its `action` and `status`, may stand in the settings.
    attach: (id, cursor, settings) => new Run(wire, { ...settings, id, cursor }),
    list: (query) => wire.json("runs", { query }),
    then: undefined, // or `await client` would start a run
    toJSON: undefined,
  };
  return new Proxy(verbs, {
    get(target, name) {
      if (typeof name === "symbol" || name in target) return target[name];
      return (input, settings) => call("POST", name, input, settings);
    },
  });
}

const isFile = (value) => value instanceof Blob;

function filesOf(value) {
  if (isFile(value)) return [value];
  const isList = Array.isArray(value) || (typeof FileList !== "undefined" && value instanceof FileList);
  return isList && value.length && [...value].every(isFile) ? [...value] : null;
}

/** JSON text, or multipart when a field is a file or a list of files. */
export function bodyOf(input = {}) {
  if (input instanceof FormData) return input;
  const fields = Object.entries(input ?? {});
  if (!fields.some(([, value]) => filesOf(value))) return JSON.stringify(input);
  const form = new FormData();
  for (const [name, value] of fields) {
    for (const one of filesOf(value) ?? textsOf(value)) form.append(name, one);
  }
  return form;
}

/** A field as a form sends it: scalars as text, lists of them as repeated fields, everything deeper as JSON; null is left out. */
function textsOf(value) {
  if (value === undefined || value === null) return [];
  if (typeof value !== "object") return [String(value)];
  const isPlain = Array.isArray(value) && value.every((item) => ["string", "number", "boolean"].includes(typeof item));
  // A list of one that looks like JSON, and an empty one, could not be told from something else.
  const isRepeated = isPlain && (value.length > 1 || (value.length === 1 && !/^\s*\[/.test(value[0])));
  return isRepeated ? value.map(String) : [JSON.stringify(value)];
}

/** Fields as the query of a feed. */
export function queryOf(fields) {
  return new URLSearchParams(
    Object.entries(fields ?? {}).flatMap(([name, value]) => textsOf(value).map((text) => [name, text])),
  );
}

const jsonOf = (response) =>
  response.json().catch((reason) => {
    throw new Lost(`The answer was cut off: ${reason?.message ?? reason}`);
  });

async function errorOf(response) {
  const body = await response.json().catch(() => null);
  const runId = response.headers.get("Run-Id");
  if (body?.error?.code)
    return new ActionError({ statusCode: response.status, ...body.error, runId: body.error.runId ?? runId });
  const message = `HTTP ${response.status} ${response.statusText}`.trim();
  return new ActionError({ code: "HTTP_ERROR", message, statusCode: response.status, runId });
}

function retryAfterMs(response) {
  const value = response.headers.get("Retry-After");
  if (value === null) return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Math.max(0, Math.min(ms || 0, WAIT_MAX_MS));
}

/** `crypto.randomUUID` is missing on http origins; this is not. 128 random bits. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const seqOf = (cursor) => Number(cursor.slice(cursor.lastIndexOf(".") + 1));
const jitter = (baseMs, failures) =>
  Math.min(baseMs * 2 ** (failures - 1), Math.max(baseMs, BACKOFF_MAX_MS)) * (0.5 + Math.random() / 2);

function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {}); // nobody has to ask for the result
  return made;
}

/** Wait; the network's return or the signal ends it early. */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      globalThis.removeEventListener?.("online", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    globalThis.addEventListener?.("online", wake, { once: true });
    signal?.addEventListener("abort", wake, { once: true });
  });
}
