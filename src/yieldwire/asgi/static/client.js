/**
 * The browser client: calls actions and follows their runs. An ES module without dependencies.
 *
 *     import { createClient } from "/api/_actions/client.js";
 *     const actions = createClient({ url: "/api/_actions" });
 *     const run = actions.importContacts({ file });
 *     for await (const progress of run) bar.value = progress.percent;
 *     const summary = await run.result();
 *
 * Built by `make client` from `typescript/src`; the sources have the types and the reasons.
 */
var __defProp = Object.defineProperty;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __esm = (fn, res, err) => function __init() {
  if (err) throw err[0];
  try {
    return fn && (res = (0, fn[__getOwnPropNames(fn)[0]])(fn = 0)), res;
  } catch (e) {
    throw err = [e], e;
  }
};
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: true });
};

// src/transports/xhr.ts
var xhr_exports = {};
__export(xhr_exports, {
  byXHR: () => byXHR
});
function abortWith({ signal }, xhr) {
  const abort = () => xhr.abort();
  signal?.addEventListener("abort", abort);
  xhr.addEventListener("loadend", () => signal?.removeEventListener("abort", abort));
  if (signal?.aborted) abort();
}
function answerOf2(xhr, changes) {
  return {
    status: xhr.status,
    statusText: xhr.statusText,
    header: (name) => xhr.getResponseHeader(name),
    async text() {
      while (!changes.hasEnded) await changes.next();
      return xhr.responseText;
    },
    pieces: () => piecesOf2(xhr, changes)
  };
}
async function* piecesOf2(xhr, changes) {
  let seen = 0;
  try {
    while (seen < LONGEST) {
      const { hasEnded } = changes;
      const text = xhr.responseText;
      if (text.length > seen) yield text.slice(seen);
      seen = text.length;
      if (hasEnded) return;
      await changes.next();
    }
  } finally {
    xhr.abort();
  }
}
var LONGEST, byXHR, Changes;
var init_xhr = __esm({
  "src/transports/xhr.ts"() {
    "use strict";
    LONGEST = 16 * 1024 * 1024;
    byXHR = (order) => new Promise((resolve, reject) => {
      const xhr = new XMLHttpRequest();
      const changes = new Changes();
      const fail = (message) => () => {
        changes.end(new TypeError(message));
        reject(new TypeError(message));
      };
      xhr.open(order.method, order.url);
      xhr.withCredentials = order.credentials === "include";
      order.headers.forEach((value, name) => xhr.setRequestHeader(name, value));
      xhr.upload?.addEventListener("progress", ({ loaded, total }) => order.onUpload?.(loaded, total));
      xhr.addEventListener("readystatechange", () => {
        if (xhr.readyState === xhr.HEADERS_RECEIVED) resolve(answerOf2(xhr, changes));
      });
      xhr.addEventListener("progress", () => changes.note());
      xhr.addEventListener("load", () => changes.end());
      xhr.addEventListener("error", fail("Network error"));
      xhr.addEventListener("abort", fail("Aborted"));
      abortWith(order, xhr);
      if (!order.signal?.aborted) xhr.send(order.body ?? null);
    });
    Changes = class {
      hasEnded = false;
      #failure;
      #isNew = false;
      #wake;
      note() {
        this.#isNew = true;
        this.#wake?.();
      }
      end(failure2) {
        this.hasEnded = true;
        this.#failure ??= failure2;
        this.note();
      }
      async next() {
        if (!this.#isNew) await new Promise((resolve) => this.#wake = resolve);
        this.#isNew = false;
        if (this.#failure) throw this.#failure;
      }
    };
  }
});

// src/transports/polling.ts
var polling_exports = {};
__export(polling_exports, {
  help: () => help,
  poll: () => poll
});
async function poll(run, isHeld, read, nowMs) {
  const beganMs = nowMs();
  const snapshot = await ask(run, read, isHeld);
  const isNew = run.takeSnapshot(snapshot);
  const wasHeld = isHeld && (isNew || nowMs() - beganMs > paceMs(snapshot));
  return wasHeld ? 0 : paceMs(snapshot);
}
async function help(run, read, quiet, wait, identify, mostMs) {
  for (let waitMs = FIRST_MS; !quiet.aborted; await wait(waitMs)) {
    try {
      await identify();
      if (run.cursor) {
        const snapshot = await ask(run, read);
        if (quiet.aborted) break;
        if (run.takeSnapshot(snapshot)) return true;
        waitMs = paceMs(snapshot);
      }
    } catch {
      waitMs = Math.min(waitMs * 2, mostMs);
    }
  }
  return false;
}
async function ask(run, read, isHeld) {
  const query = new URLSearchParams({ after: run.cursor ?? "", ...isHeld && { wait: String(HOLD_S) } });
  return await read(String(query));
}
function paceMs({ retryAfterMs: retryAfterMs2 }) {
  return retryAfterMs2 === null ? 0 : retryAfterMs2 ?? PACE_MS;
}
var HOLD_S, FIRST_MS, PACE_MS;
var init_polling = __esm({
  "src/transports/polling.ts"() {
    "use strict";
    HOLD_S = 25;
    FIRST_MS = 3e3;
    PACE_MS = 500;
  }
});

// src/place.ts
var place_exports = {};
__export(place_exports, {
  takePlace: () => takePlace
});
async function takePlace(origin, limit, signal) {
  let isTaken = false;
  for (let number = 0; number < limit && !isTaken; number++) isTaken = await take(`yieldwire ${origin} ${number}`, signal);
  return isTaken;
}
async function take(place, signal) {
  try {
    return await new Promise((resolve, reject) => {
      const hold = (lock) => {
        resolve(lock !== null);
        return lock && !signal.aborted && new Promise((release) => signal.addEventListener("abort", release));
      };
      navigator.locks.request(place, { ifAvailable: true }, hold).catch(reject);
    });
  } catch {
    if (taken.has(place) || signal.aborted) return false;
    taken.add(place);
    signal.addEventListener("abort", () => taken.delete(place));
    return true;
  }
}
var taken;
var init_place = __esm({
  "src/place.ts"() {
    "use strict";
    taken = /* @__PURE__ */ new Set();
  }
});

// src/body.ts
function bodyOf(input) {
  if (input instanceof FormData) return input;
  const files = [];
  const places = [];
  const placeOf = /* @__PURE__ */ new Map();
  const text = JSON.stringify(input ?? {}, function(key, value) {
    const above = placeOf.get(this);
    const place = above === void 0 ? "" : `${above}/${key.replace(/~/g, "~0").replace(/\//g, "~1")}`;
    if (value instanceof Blob) {
      const name = value.name || "blob";
      files.push([value, name]);
      places.push(place);
      return name;
    }
    const plain = typeof FileList !== "undefined" && value instanceof FileList ? [...value] : value;
    if (typeof plain === "object") placeOf.set(plain, place);
    return plain;
  });
  if (!files.length) return text;
  const form = new FormData();
  form.append(":input", `{"input":${text},"files":${JSON.stringify(places)}}`);
  for (const [number, file] of files.entries()) form.append(String(number), ...file);
  return form;
}
function queryOf(input) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(input ?? {})) for (const text of textsOf(value)) query.append(name, text);
  return query;
}
function textsOf(value) {
  if (value === void 0 || value === null) return [];
  if (value instanceof Date) return [value.toJSON()];
  if (typeof value !== "object") return [String(value)];
  const isPlain = Array.isArray(value) && value.every((item) => typeof (item ?? {}) !== "object");
  const isRepeated = isPlain && (value.length > 1 || value.length === 1 && !/^\s*\[/.test(String(value[0])));
  return isRepeated ? value.map(String) : [JSON.stringify(value)];
}

// src/core/event.ts
function textOf(chunk) {
  const { type, text } = fieldsOf(chunk);
  const found = type === "text" || type === "append" ? text : chunk;
  return typeof found === "string" ? found : "";
}
function isProgress(chunk) {
  return fieldsOf(chunk)["type"] === "progress";
}
function fieldsOf(value) {
  return typeof value === "object" && value !== null ? value : {};
}

// src/core/error.ts
var ActionError = class extends Error {
  name = "ActionError";
  code;
  /** The HTTP status, also if the error came as an event; 0 if no server answered. */
  statusCode;
  /** Whether the same call is worth repeating. */
  retryable;
  /** Messages by field; `_root` has those about the input as a whole. */
  fieldErrors;
  /** What the action sent with it. */
  data;
  /** The run that ended with it. */
  runId;
  /** Identifies the cause in the server's log. */
  errorId;
  /** The details of an unexpected exception, from a server in development; else null. */
  debug;
  /** The `X-Request-Id` of the answer, if it had one. */
  requestId;
  constructor(fields = {}) {
    super(textIn(fields.message) ?? "");
    this.code = textIn(fields.code) ?? "INTERNAL_ERROR";
    this.statusCode = typeof fields.statusCode === "number" ? fields.statusCode : 500;
    this.retryable = fields.retryable === true;
    this.fieldErrors = fields.fieldErrors ?? null;
    this.data = fields.data ?? null;
    this.debug = fields.debug ?? null;
    this.runId = textIn(fields.runId);
    this.errorId = textIn(fields.errorId);
    this.requestId = textIn(fields.requestId);
  }
};
function textIn(value) {
  return typeof value === "string" ? value : null;
}
function protocolError(message) {
  return failure("PROTOCOL_ERROR", message);
}
function failure(code, message, fields) {
  return new ActionError({ code, message, statusCode: 0, ...fields });
}
function foreign({ status, statusText, header }) {
  return `Not the server's answer: HTTP ${[status, statusText, header("Content-Type")].filter(Boolean).join(" ")}`;
}
function errorOf(body, answer) {
  const statusCode = answer.status;
  const error = fieldsOf(fieldsOf(body)["error"]);
  const isOurs = textIn(error.code) && (error.statusCode || /^[A-Z][A-Z\d_]*$/.test(error.code));
  const told = isOurs ? error : { code: "HTTP_ERROR", message: foreign(answer) };
  return new ActionError({ statusCode, ...told, runId: told.runId ?? answer.header("Run-Id"), requestId: answer.header("X-Request-Id") });
}

// src/core/value.ts
function valuesOf(value, chunk) {
  const { type, value: next, text } = fieldsOf(chunk);
  if (type === "value") return [next];
  return type === "append" ? [(typeof value === "string" ? value : "") + text] : [];
}

// src/core/route.ts
var AGAIN_MS = 12e4;
var Route = class {
  #streamsFromMs = 0;
  #heldFromMs = 0;
  /** The route to take. `isCrowded`: there is no spare connection, not even for a held poll. */
  choose(nowMs, isCrowded) {
    if (isCrowded) return "paced";
    if (nowMs >= this.#streamsFromMs) return "stream";
    return nowMs >= this.#heldFromMs ? "held" : "paced";
  }
  /** A poll delivered what a stream did not. */
  buffered(nowMs) {
    this.#streamsFromMs = nowMs + AGAIN_MS;
  }
  /** A held poll was cut off. */
  cutOff(nowMs) {
    this.#heldFromMs = nowMs + AGAIN_MS;
  }
  /** The network has changed or is back: every route is worth a try. */
  renew() {
    this.#streamsFromMs = this.#heldFromMs = 0;
  }
};

// src/environment.ts
var WAKES = ["online", "pageshow", "visibilitychange"];
var LONGEST_MS = 2 ** 31 - 1;
var PAGE = {
  now: () => Date.now(),
  // continues while a machine sleeps; a monotonic clock can stop
  chance: () => Math.random(),
  after(ms, callback) {
    const timer = setTimeout(callback, Math.min(ms, LONGEST_MS));
    return () => clearTimeout(timer);
  },
  onWake(listener) {
    const scope = globalThis;
    const hear = ({ type }) => {
      const isOnline = type === "online";
      if (isOnline || scope.document?.visibilityState !== "hidden") listener(isOnline);
    };
    for (const type of WAKES) scope.addEventListener?.(type, hear);
    return () => {
      for (const type of WAKES) scope.removeEventListener?.(type, hear);
    };
  }
};
function pause(environment, ms, signal, isFirm) {
  return new Promise((resolve) => {
    const stops = [environment.after(ms, wake), environment.onWake(() => isFirm || wake())];
    signal?.addEventListener("abort", wake);
    if (signal?.aborted) wake();
    function wake() {
      for (const stop of stops) stop();
      signal?.removeEventListener("abort", wake);
      resolve();
    }
  });
}

// src/core/status.ts
var TRANSITIONS = {
  pending: { started: "running", cancelled: "cancelled", error: "failed" },
  running: { chunk: "running", restarted: "pending", done: "completed", error: "failed", cancelled: "cancelled" },
  completed: {},
  failed: {},
  cancelled: {}
};
var TERMINAL = /* @__PURE__ */ new Set(["completed", "failed", "cancelled"]);

// src/core/frame.ts
var WRONG = "Not a frame";
var CURSOR = /^([A-Za-z0-9_~-]{1,64})\.(0|[1-9][0-9]{0,14})$/;
function cursorOf(runId, seq) {
  return `${runId}.${seq}`;
}
function readCursor(cursor) {
  const [, runId, seq] = CURSOR.exec(cursor) ?? [];
  return runId === void 0 ? void 0 : { runId, seq: Number(seq) };
}
function isKnown(type) {
  return Object.hasOwn(TRANSITIONS.running, type);
}
function frameOf({ id, type: name, data }) {
  const type = name === "message" ? "chunk" : name;
  const { runId, seq } = readCursor(id) ?? {};
  const isOpening = type === "run";
  if (type === "reset") return resetOf(parse(data));
  if (!isOpening && !isKnown(type)) return { ...eventOf(seq, type), runId };
  if (seq === void 0) throw protocolError(`Not a cursor: ${id}`);
  return isOpening ? openingOf(id, parse(data)) : eventOf(seq, type, parse(data));
}
function eventOf(seq, type, data) {
  return { kind: "event", event: { seq, type, data } };
}
function openingOf(cursor, value) {
  const { id, status, firstSeq } = fieldsOf(value);
  if (typeof id !== "string") throw protocolError(WRONG);
  return {
    kind: "opening",
    cursor,
    runId: id,
    status,
    firstSeq: typeof firstSeq === "number" ? firstSeq : void 0
  };
}
function resetOf(value) {
  const { firstSeq } = fieldsOf(value);
  if (typeof firstSeq !== "number") throw protocolError(WRONG);
  return { kind: "reset", firstSeq };
}
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw protocolError(`Not JSON: ${text.slice(0, 80)}`);
  }
}

// src/core/log.ts
var FOREIGN = "The cursor belongs to another run";
var RunLog = class {
  id;
  status;
  attempt = 1;
  seq = 0;
  firstSeq = 1;
  text = "";
  /** Whether `text` is collected; for a run whose text nobody reads it would only use memory. */
  keepsText = true;
  progress;
  /** Set when the terminal event, or a snapshot in its place, was taken. */
  outcome;
  /** What to resume from. */
  get cursor() {
    return this.id === void 0 ? void 0 : cursorOf(this.id, this.seq);
  }
  /** Set a run's id, and the place after a cursor of it. Throws `PARSE_ERROR` if the cursor is invalid. */
  identify(id, cursor = cursorOf(id, 0)) {
    const place = readCursor(cursor);
    if (place?.runId !== id) throw failure("PARSE_ERROR", FOREIGN, { statusCode: 400 });
    this.id = id;
    this.seq = place.seq;
  }
  /** Take a frame; returns its event if it is new. */
  take(frame) {
    if (frame.kind === "event" && (frame.runId ?? this.id) === this.id) return this.#append(frame.event);
    if (frame.kind === "reset") this.#trimTo(frame.firstSeq);
    if (frame.kind === "opening") this.#open(frame);
    return void 0;
  }
  /** Take a poll's answer; returns its new events. */
  takePoll(snapshot) {
    if (snapshot.firstSeq > this.seq + 1) this.#trimTo(snapshot.firstSeq);
    const events = (snapshot.events ?? []).flatMap((event) => this.#append(event) ?? []);
    this.takeStatus(snapshot.status);
    if (snapshot.retryAfterMs === null && !this.outcome) this.conclude(snapshot);
    return events;
  }
  /** Take a status that came without events. */
  takeStatus(status) {
    if (!this.outcome && TRANSITIONS[status]?.["cancelled"]) this.status = status;
  }
  /** Take the outcome from a snapshot, if the log has no more events. */
  conclude(snapshot) {
    this.status = snapshot.status;
    this.seq = snapshot.seq;
    this.text = snapshot.text ?? this.text;
    this.progress = snapshot.progress ?? this.progress;
    this.#end(snapshot.error ? new ActionError(snapshot.error) : void 0, snapshot.result);
  }
  #append(event) {
    if (this.outcome || !(event.seq > this.seq)) return void 0;
    this.seq = event.seq;
    if (!isKnown(event.type)) return void 0;
    this.status = TRANSITIONS.running[event.type];
    if (event.type === "chunk") {
      if (this.keepsText) this.text += textOf(event.data);
      if (isProgress(event.data)) this.progress = event.data;
    } else if (event.type === "restarted") {
      this.attempt = event.data.attempt;
      this.text = "";
      this.progress = void 0;
    } else if (event.type === "done") this.#end(void 0, event.data.result ?? null);
    else this.#end(new ActionError(event.data));
    return event;
  }
  #end(error, result) {
    this.outcome = { error, result };
  }
  /** Take the error with which a start was answered, if it is the run's own end. */
  refuse(error) {
    if (!error.runId || (this.id ?? error.runId) !== error.runId) return;
    this.id = error.runId;
    this.status = TRANSITIONS.running[error.code === "CANCELLED" ? "cancelled" : "error"];
  }
  #open({ runId, cursor, firstSeq, status }) {
    if (this.id === void 0) this.identify(runId, cursor);
    if (this.id !== runId) throw protocolError(FOREIGN);
    this.firstSeq = firstSeq ?? this.firstSeq;
    this.takeStatus(status);
  }
  #trimTo(firstSeq) {
    this.firstSeq = firstSeq;
    this.seq = Math.max(this.seq, firstSeq - 1);
  }
};

// src/core/replay.ts
var KEPT_BYTES = 2 ** 22;
var Replay = class {
  /** The place before the first kept event. */
  oldest = { event: void 0, count: 0, next: void 0 };
  #newest = this.oldest;
  #isGiven;
  #limit;
  constructor(keep, most) {
    this.#isGiven = keep !== void 0;
    this.#limit = keep ?? most;
  }
  /** Keep an event. */
  add(event) {
    const weight = this.#isGiven ? 1 : Math.max(1, JSON.stringify(event).length * this.#limit / KEPT_BYTES);
    this.#newest = this.#newest.next = { event, count: this.#newest.count + weight, next: void 0 };
    while (this.oldest.next && this.#newest.count - this.oldest.count > this.#limit) this.oldest = this.oldest.next;
  }
};

// src/deferred.ts
var Deferred = class {
  promise;
  resolve;
  reject;
  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.promise.catch(() => void 0);
  }
};

// src/core/connection.ts
var LOST = "The connection was lost";
var Lost = class _Lost extends Error {
  afterMs;
  error;
  constructor(message = LOST, afterMs = 0, error) {
    super(message);
    this.afterMs = afterMs;
    this.error = error;
  }
  /** Whether the server itself answered, and not something in its place. */
  get isTold() {
    return this.error !== void 0 && this.error.code !== "HTTP_ERROR";
  }
  /** Whether there is a server: it answered, or a proxy said that it is temporarily away. */
  get isMet() {
    return this.isTold || REPEATABLE.has(this.error?.statusCode ?? 0);
  }
  /** What was lost, and why. */
  static by(reason, what = LOST) {
    return new _Lost(`${what}: ${reason?.message ?? reason}`);
  }
};
var BACKOFF_MS = 500;
var BACKOFF_MAX_MS = 15e3;
var LONGEST_WAIT_MS = 36e5;
var STEADY_MS = 5e3;
var GRACE_MS = 1e3;
var STALE_MS = 2e4;
function backoffMs(failures, chance, baseMs = BACKOFF_MS) {
  const longestMs = Math.max(baseMs, BACKOFF_MAX_MS);
  return Math.min(baseMs * 2 ** (failures - 1), longestMs) * (0.5 + chance / 2);
}
var Connection = class {
  state = "idle";
  trouble;
  #idleMs;
  #giveUpMs;
  #unmetMs;
  #isMet = false;
  #retryMs = BACKOFF_MS;
  #failures = 0;
  #waitMs = 0;
  #cause;
  #beganMs = 0;
  #heardMs = 0;
  #aloneMs;
  /**
   * `idleMs`: how long without a byte until a connection is lost; `giveUpMs`: how long without a connection until the run is given up;
   * `unmetMs`: the same until something shows that there is a server.
   */
  constructor(idleMs, giveUpMs, unmetMs = giveUpMs) {
    this.#idleMs = idleMs;
    this.#giveUpMs = giveUpMs;
    this.#unmetMs = unmetMs;
  }
  /** There is a server. */
  met() {
    this.#isMet = true;
  }
  /** A request is sent. */
  begin(nowMs) {
    this.#beganMs = this.#heardMs = nowMs;
    if (this.state !== "open") this.state = "connecting";
  }
  /** Something arrived, even if only a keepalive. */
  heard(nowMs) {
    this.#heardMs = nowMs;
    this.#aloneMs = void 0;
    this.met();
    this.state = "open";
    this.trouble = this.#cause = void 0;
  }
  /** The server set the wait before the next connection. */
  retry(ms) {
    this.#retryMs = Math.min(ms || BACKOFF_MS, LONGEST_WAIT_MS);
  }
  /** How soon the connection counts as lost if nothing arrives. */
  idleInMs(nowMs) {
    return this.#heardMs + this.#idleMs - nowMs;
  }
  /** Whether a page that wakes up should reconnect. */
  isStale(nowMs) {
    return nowMs - this.#heardMs > STALE_MS;
  }
  /** A poll was answered: the next one is sent at its own time. */
  answered() {
    this.#failures = 0;
  }
  /** The connection is gone. Returns how long to wait before the next, or undefined to give up. */
  lost(nowMs, { message, afterMs }, chance) {
    const wasGood = this.state === "open" && nowMs - this.#beganMs > Math.min(this.#waitMs, STEADY_MS);
    this.#failures = wasGood ? 1 : this.#failures + 1;
    this.#aloneMs ??= nowMs;
    this.state = "waiting";
    this.#cause = message;
    if (afterMs || nowMs - this.#aloneMs >= GRACE_MS) this.worry();
    if (nowMs - this.#aloneMs >= (this.#isMet ? this.#giveUpMs : this.#unmetMs)) return void 0;
    this.#waitMs = Math.min(Math.max(afterMs, backoffMs(this.#failures, chance, this.#retryMs)), LONGEST_WAIT_MS);
    return this.#waitMs;
  }
  /** If the connection is gone, say why: it has been gone for long enough. */
  worry() {
    this.trouble = this.#cause;
  }
  /** The run is not followed for now. */
  rest() {
    this.state = "idle";
  }
  /** The run is no longer followed. */
  close() {
    this.state = "closed";
    this.trouble = void 0;
  }
};
var REPEATABLE = /* @__PURE__ */ new Set([408, 425, 429, 502, 503, 504]);
var TOO_LARGE = /* @__PURE__ */ new Set([413, 414, 431]);
function isFinal(status, error, starts) {
  if (error.code === "HTTP_ERROR") return TOO_LARGE.has(status);
  return starts && error.runId !== null || !(REPEATABLE.has(status) || status === 500 && error.retryable);
}
function retryAfterMs(value, nowMs) {
  const ms = Number(value) >= 0 ? Number(value) * 1e3 : Date.parse(value ?? "") - nowMs;
  return Math.max(0, ms || 0);
}

// src/core/sse.ts
var LIMIT = 64 * 1024 * 1024;
var SSEDecoder = class {
  /** The newest `retry:`, if there was one. */
  retryMs;
  #limit;
  #pieces = [];
  #isFirst = true;
  #afterCR = false;
  #id = "";
  #type = "";
  #data = [];
  #size = 0;
  constructor(limit = LIMIT) {
    this.#limit = limit;
  }
  /** Take text, return the messages that it completes. Throws `PROTOCOL_ERROR` if one is too large. */
  feed(text) {
    const messages = [];
    let start = text ? this.#begin(text) : 0;
    const ending = /\r\n?|\n/g;
    for (; ; ) {
      ending.lastIndex = start;
      const found = ending.exec(text);
      this.#grow(text.slice(start, found?.index));
      if (!found) return messages;
      const line = this.#pieces.join("");
      this.#pieces = [];
      this.#line(line, messages);
      start = ending.lastIndex;
      this.#afterCR = found[0] === "\r" && start === text.length;
    }
  }
  /** Where a piece's own text starts: after the byte order mark, or after the LF of a CR LF that was cut in two. */
  #begin(text) {
    const isSkipped = this.#isFirst && text[0] === "\uFEFF" || this.#afterCR && text[0] === "\n";
    this.#isFirst = this.#afterCR = false;
    return isSkipped ? 1 : 0;
  }
  #grow(piece) {
    if (!piece) return;
    this.#size += piece.length;
    if (this.#size > this.#limit) {
      throw protocolError(`An event is longer than ${this.#limit} characters.`);
    }
    this.#pieces.push(piece);
  }
  #line(line, messages) {
    if (line === "") return this.#dispatch(messages);
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (field === "data") this.#data.push(value);
    else this.#size -= line.length;
    if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) this.retryMs = Number(value);
  }
  #dispatch(messages) {
    if (this.#data.length) messages.push({ id: this.#id, type: this.#type || "message", data: this.#data.join("\n") });
    this.#type = "";
    this.#data = [];
    this.#size = 0;
  }
};

// src/transports/sse.ts
async function* framesOf(answer) {
  const decoder = new SSEDecoder();
  let retryMs;
  try {
    for await (const piece of answer.pieces()) {
      const batch = [];
      try {
        for (const message of decoder.feed(piece)) batch.push(frameOf(message));
        if (decoder.retryMs !== retryMs) batch.push({ kind: "retry", retryMs: retryMs = decoder.retryMs });
      } finally {
        yield batch;
      }
    }
  } catch (reason) {
    throw reason instanceof ActionError ? reason : Lost.by(reason);
  }
}

// src/transports/fetch.ts
var TURN_MS = 30;
var PIECE_BYTES = 64 * 1024;
function byFetch(fetch) {
  return async ({ url, ...order }) => answerOf(await fetch(url, { ...order, cache: "no-store" }));
}
function answerOf(response) {
  return {
    status: response.status,
    statusText: response.statusText,
    header: (name) => response.headers.get(name),
    text: () => response.text(),
    pieces: () => piecesOf(response)
  };
}
async function* piecesOf(response) {
  if (!response.body) return yield await response.text();
  const reader = response.body.getReader();
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  try {
    let busyMs = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      for (let at = 0; at < part.value.length; at += PIECE_BYTES) {
        const sinceMs = performance.now();
        yield utf8.decode(part.value.subarray(at, at + PIECE_BYTES), { stream: true });
        busyMs += performance.now() - sinceMs;
        if (busyMs > TURN_MS) busyMs = await turn();
      }
    }
  } finally {
    reader.cancel().catch(() => void 0);
  }
}
async function turn() {
  if (typeof document !== "undefined" && document.visibilityState !== "hidden") {
    await new Promise((resolve) => setTimeout(resolve));
  }
  return 0;
}

// src/wire.ts
var EVENT_STREAM = "text/event-stream";
var UNREACHED = "The server cannot be reached";
var TRIES = 5;
var REQUEST_MS = 15e3;
var Wire = class {
  #options;
  #environment;
  #fetch;
  /** The newest headers of the page, with its token. */
  #given;
  constructor(options, environment) {
    this.#options = options;
    this.#environment = environment;
    this.#fetch = byFetch(options.fetch ?? ((...order) => globalThis.fetch(...order)));
  }
  /** Computed when needed: pages are also rendered on servers, where no request is sent, and where a relative URL is invalid. */
  get base() {
    return new URL(String(this.#options.url).replace(/\/?$/, "/"), globalThis.location?.href);
  }
  /** One request. Throws `Lost` if a retry can help, and an `ActionError` if it cannot. */
  async send(request) {
    const answer = await this.#carry(request, false);
    const { token, headers } = this.#options;
    const isRenewable = [token, headers].some((source) => source instanceof Function);
    return this.#check(answer.status === 401 && isRenewable ? await this.#carry(request, true) : answer, request);
  }
  /** One request's JSON: a snapshot, or a page of a list. */
  async read(request) {
    const answer = await this.send(request);
    const json = await jsonOf(answer);
    const { status, runs } = fieldsOf(json);
    const isOurs = request.method === "DELETE" ? answer.status === 204 : typeof status === "string" || Array.isArray(runs);
    if (!isOurs) throw new Lost(foreign(answer));
    return json;
  }
  /** A short request that is safe to repeat, retried until it is answered; returns its JSON. `onLost` is called when a try has failed. */
  async ask(path, method = "GET", headers, onLost) {
    const keepalive = method === "POST";
    const request = { path, method, headers, keepalive, body: keepalive ? "{}" : void 0 };
    let mayBeDone = false;
    for (let failures = 1; ; failures++) {
      try {
        return await this.#inTime((signal) => this.read({ ...request, signal }));
      } catch (reason) {
        if (!(reason instanceof Lost)) {
          if (mayBeDone && method === "DELETE" && reason.code === "NOT_FOUND") return;
          throw reason;
        }
        onLost?.(void 0);
        mayBeDone ||= !(reason.error?.statusCode < 500);
        if (failures === TRIES) throw givenUp(reason);
        await pause(this.#environment, Math.max(reason.afterMs, backoffMs(failures, this.#environment.chance())), void 0, reason.afterMs > 0);
      }
    }
  }
  /** Abort a try that takes too long, at any stage. */
  async #inTime(act) {
    const { requestMs = REQUEST_MS } = this.#options;
    const link = new AbortController();
    const stop = this.#environment.after(requestMs, () => link.abort(silence(requestMs)));
    try {
      return await Promise.race([act(link.signal), cut(link.signal)]);
    } finally {
      stop();
    }
  }
  async #carry(request, isRefused) {
    const { path, method = "GET", body, signal, keepalive, starts, onUpload } = request;
    const headers = await this.#headers(request, isRefused);
    const order = { url: this.base.href + path, method, headers, body, signal, keepalive, credentials: this.#options.credentials, onUpload };
    try {
      const carrier = await this.#carrier(request);
      if (signal?.aborted) throw signal.reason;
      starts?.();
      return await carrier(order);
    } catch (reason) {
      const isForeign = globalThis.location && !order.url.startsWith(location.origin);
      throw Lost.by(reason, UNREACHED + (isForeign ? ", or refuses this origin" : ""));
    }
  }
  async #carrier({ transport, onUpload }) {
    const isWanted = transport === "xhr" || onUpload || transport !== "sse" && !this.#options.fetch && !fetchStreams();
    if (!isWanted || typeof XMLHttpRequest === "undefined") return this.#fetch;
    try {
      return (await Promise.resolve().then(() => (init_xhr(), xhr_exports))).byXHR;
    } catch {
      return this.#fetch;
    }
  }
  async #headers({ headers, body, keepalive }, isRefused) {
    if (!keepalive || isRefused || !this.#given) this.#given = await this.#give(isRefused);
    const all = new Headers(this.#given);
    all.set("Accept", "application/json");
    for (const name in headers) all.set(name, headers[name]);
    if (typeof body === "string") all.set("Content-Type", "application/json");
    return all;
  }
  async #give(isRefused) {
    const { headers, token } = this.#options;
    const all = new Headers(await given(headers, isRefused));
    const bearer = await given(token, isRefused);
    if (bearer !== void 0) all.set("Authorization", `Bearer ${bearer}`);
    return all;
  }
  async #check(answer, { starts }) {
    const { status } = answer;
    if (status >= 200 && status < 300) return answer;
    const error = errorOf(await jsonOf(answer).catch(() => void 0), answer);
    if (isFinal(status, error, Boolean(starts))) throw error;
    throw new Lost(error.message, retryAfterMs(answer.header("Retry-After"), this.#environment.now()), error);
  }
};
function pathOf(id) {
  return `runs/${encodeURIComponent(id)}`;
}
function givenUp(lost, runId = null) {
  if (lost.error && lost.isTold) return lost.error;
  return failure("UNREACHABLE", lost.message, { retryable: true, runId });
}
async function jsonOf(answer) {
  if (answer.status === 204) return null;
  try {
    return JSON.parse(await answer.text());
  } catch (reason) {
    throw Lost.by(reason, answer.header("Content-Type")?.includes("json") ? void 0 : foreign(answer));
  }
}
function cut(signal) {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(Lost.by(signal.reason))));
}
function silence(ms) {
  return `no answer in ${ms} ms`;
}
async function given(source, isRefused) {
  try {
    return await (source instanceof Function ? source({ isRefused }) : source);
  } catch (reason) {
    throw reason instanceof TypeError ? Lost.by(reason, UNREACHED) : reason;
  }
}
function fetchStreams() {
  return typeof Response !== "undefined" && "body" in Response.prototype;
}

// src/follower.ts
var UPLOAD_CHECK_MS = 1e3;
var loadPolling = () => Promise.resolve().then(() => (init_polling(), polling_exports)).catch(() => void 0);
var Follower = class {
  connection;
  #around;
  #run;
  #start;
  #link = new AbortController();
  #isGoing = false;
  /** Whether somebody reads. */
  #isWanted = false;
  /** Whether the start is repeated if its answer is lost. */
  #isMeant = false;
  #isRerouted = false;
  /** Whether the server set the wait. */
  #isAsked = false;
  constructor(around, run, start) {
    this.connection = new Connection(around.idleMs, around.giveUpMs, start ? around.unmetMs : around.giveUpMs);
    this.#around = around;
    this.#run = run;
    this.#start = start;
  }
  /** Start the run if needed; follow it from then on if it is `isFollowed`. Resolves when there is nothing more to do. */
  async go(isFollowed) {
    this.#isWanted ||= isFollowed;
    this.#isMeant = true;
    if (!this.#isGoing && !this.#run.hasEnded) await this.#go();
  }
  /** Stop following; a run that has ended does not change. */
  leave(reason) {
    if (this.#run.hasEnded) return;
    this.#close(reason);
    this.#link.abort();
  }
  /**
   * There are no readers: close the connection once the run's id is known. Calling `go` again continues after the cursor.
   * A start request in progress can still be answered, but is not repeated.
   */
  rest() {
    this.#isWanted = this.#isMeant = false;
    if (this.#run.id !== void 0) this.#cut();
    else if (this.connection.state === "waiting") this.#run.withdraw("unattended");
  }
  /** Close the connection on purpose: the resulting error is not a failure. */
  #cut() {
    this.#isRerouted = true;
    this.#link.abort();
  }
  get #nowMs() {
    return this.#around.environment.now();
  }
  async #go() {
    this.#isGoing = true;
    const stopWaking = this.#around.environment.onWake((isOnline) => this.#wake(isOnline));
    while (!this.#run.hasEnded && (this.#isWanted || this.#run.id === void 0)) await this.#turn();
    stopWaking();
    this.#isGoing = false;
    if (this.#run.hasEnded) return;
    this.connection.rest();
    this.#run.changed();
  }
  #wake(isOnline) {
    if (isOnline) this.#around.route.renew();
    if (!this.#isAsked && !this.#isUpload && this.connection.isStale(this.#nowMs)) this.#link.abort();
  }
  /** An upload can take long: how much of it was sent is not known. */
  get #isUpload() {
    return this.#run.id === void 0 && !this.#start?.isSmall;
  }
  /** One connection, and the wait after it. */
  async #turn() {
    this.#link = new AbortController();
    this.#isRerouted = this.#isAsked = false;
    this.connection.begin(this.#nowMs);
    this.#run.changed();
    const stopWatching = this.#watch();
    let waitMs;
    try {
      waitMs = await Promise.race([this.#exchange(), cut(this.#link.signal)]);
      this.connection.answered();
    } catch (reason) {
      waitMs = this.#lost(reason);
    } finally {
      stopWatching();
      this.#link.abort();
    }
    if (!waitMs || this.#run.hasEnded) return;
    this.#link = new AbortController();
    this.#run.changed();
    await pause(this.#around.environment, waitMs, this.#link.signal, this.#isAsked);
  }
  async #exchange() {
    const { signal } = this.#link;
    const mode = await this.#mode();
    if (signal.aborted) return 0;
    return this.#run.id === void 0 ? this.#begin(mode) : this.#resume(this.#run.id, mode);
  }
  /** How long to wait after a failed connection; undefined if it was the last. */
  #lost(reason) {
    if (this.#run.hasEnded) return void 0;
    if (!(reason instanceof Lost)) return this.#close(reason);
    if (this.#isRerouted) return 0;
    if (this.#run.id === void 0 && !this.#isMeant) return this.#run.withdraw("unattended");
    if (reason.isMet) this.connection.met();
    this.#isAsked = reason.afterMs > 0;
    const waitMs = this.connection.lost(this.#nowMs, reason, this.#around.environment.chance());
    return waitMs ?? this.#close(givenUp(reason, this.#run.id));
  }
  #close(reason) {
    this.connection.close();
    this.#run.close(reason);
  }
  /** Close a connection over which not even a keepalive arrives. */
  #watch() {
    const link = this.#link;
    let stop;
    const check = () => {
      const uploadMs = this.#isUpload && this.#start?.uploadMs || 0;
      const leftMs = this.connection.idleInMs(this.#nowMs);
      if (leftMs + uploadMs <= 0) link.abort(silence(this.#around.idleMs + uploadMs));
      else stop = this.#around.environment.after(leftMs > 0 ? leftMs : UPLOAD_CHECK_MS, check);
    };
    check();
    return () => stop?.();
  }
  /** The route that the network allows; aborting the link's signal releases what it takes. */
  async #mode() {
    const { transport, route, takeStream: takeStream2 } = this.#around;
    if (transport === "polling") return "paced";
    return transport === "auto" ? route.choose(this.#nowMs, !await takeStream2(this.#link.signal)) : "stream";
  }
  async #begin(mode) {
    const start = this.#start;
    const streams = this.#isWanted && mode === "stream";
    const send = async () => {
      const answer = await start.send(this.#around.wire, streams && start.isSmall, this.#link.signal);
      const id = answer.header("Run-Id");
      if (id) {
        this.connection.met();
        this.#run.learn(id);
      }
      return answer;
    };
    return streams ? this.#stream(send) : this.#identify(await send());
  }
  async #resume(id, mode) {
    const polling = mode === "stream" ? void 0 : await loadPolling();
    if (polling) return this.#poll(polling, mode === "held");
    const headers = { Accept: EVENT_STREAM, "Last-Event-ID": this.#run.cursor ?? "" };
    const { signal } = this.#link;
    const { wire, transport } = this.#around;
    return this.#stream(() => wire.send({ path: `${pathOf(id)}/events`, headers, signal, transport }));
  }
  /** Read one stream, and poll as well while it is silent. */
  async #stream(send) {
    const link = this.#link;
    const quiet = new AbortController();
    link.signal.addEventListener("abort", () => quiet.abort());
    if (this.#around.transport === "auto") void this.#help(quiet.signal);
    try {
      const answer = await send();
      if (answer.status === 204) return await this.#conclude();
      if (!answer.header("Content-Type")?.startsWith(EVENT_STREAM)) return await this.#identify(answer);
      for await (const frames of framesOf(answer)) {
        quiet.abort();
        if (link.signal.aborted) return 0;
        this.#heard();
        this.#take(frames);
        if (this.#run.hasEnded || !this.#isWanted) return 0;
      }
      throw new Lost();
    } finally {
      quiet.abort();
    }
  }
  #take(frames) {
    for (const frame of frames) if (frame.kind === "retry") this.connection.retry(frame.retryMs);
    this.#run.takeAll(frames);
  }
  /** Poll for the events that a silent stream could be holding back, until the stream starts. */
  async #help(quiet) {
    const { environment, openingMs, idleMs, route, wire } = this.#around;
    const wait = (ms) => pause(environment, ms, quiet);
    await wait(openingMs);
    if (quiet.aborted) return;
    const polling = await loadPolling();
    const identify = async () => {
      this.connection.worry();
      this.#run.changed();
      return this.#run.id === void 0 && this.#start?.isSmall && this.#identify(await this.#start.send(wire, false, quiet));
    };
    if (!await polling?.help(this.#run, (query) => this.#read(query, quiet), quiet, wait, identify, idleMs)) return;
    route.buffered(this.#nowMs);
    this.#cut();
  }
  async #poll({ poll: poll2 }, isHeld) {
    const read = async (query) => {
      const snapshot = await this.#read(query, this.#link.signal);
      this.#heard();
      return snapshot;
    };
    try {
      return await poll2(this.#run, isHeld, read, () => this.#nowMs);
    } catch (reason) {
      if (isHeld && reason instanceof Lost) this.#around.route.cutOff(this.#nowMs);
      throw reason;
    }
  }
  #read(query, signal) {
    return this.#around.wire.read({ path: `${pathOf(this.#run.id)}?${query}`, signal });
  }
  /** The log has no more events: the outcome is in the snapshot. */
  async #conclude() {
    const request = { path: pathOf(this.#run.id ?? ""), signal: this.#link.signal };
    this.#run.takeOutcome(await this.#around.wire.read(request));
    if (!this.#run.hasEnded) throw new Lost();
    return 0;
  }
  /** An answer without a stream names the run; its events are read from the log. */
  async #identify(answer) {
    const { runId, id = runId, status } = fieldsOf(await jsonOf(answer));
    if (typeof id !== "string") throw new Lost(foreign(answer));
    this.#heard();
    this.#run.learn(id, status);
    return 0;
  }
  #heard() {
    if (this.#run.hasEnded) return;
    const { state } = this.connection;
    this.connection.heard(this.#nowMs);
    if (state !== "open") this.#run.changed();
  }
};

// src/run.ts
var KEEP = 1e4;
var LiveRun = class extends RunLog {
  error;
  #around;
  #replay;
  #follower;
  #listeners = /* @__PURE__ */ new Set();
  #outcome = new Deferred();
  #over = new AbortController();
  #start;
  #news;
  /** One for each iteration, listener and wait for the result. */
  #readers = /* @__PURE__ */ new Set();
  #broken;
  constructor(around, { start, id, cursor, signal, keep }) {
    super();
    this.#around = around;
    this.#start = start;
    this.#replay = new Replay(keep, KEEP);
    this.keepsText = keep !== 0;
    this.#follower = new Follower(around, this, start);
    try {
      if (id !== void 0) this.learn(id, void 0, cursor);
    } catch (reason) {
      this.#follower.leave(reason);
    }
    const leave = () => this.#leave(signal?.reason);
    const own = signal && (AbortSignal.any?.([signal]) ?? signal);
    own?.addEventListener("abort", leave, { signal: this.#over.signal });
    if (signal?.aborted) leave();
  }
  get connection() {
    return this.#follower.connection.state;
  }
  get trouble() {
    return this.#follower.connection.trouble;
  }
  [Symbol.asyncIterator]() {
    let place = this.#replay.oldest;
    for (let at = place; at.next; at = at.next) if (at.next.event?.type === "restarted") place = at;
    return this.#read(place, (event) => event.type === "chunk" && { value: event.data }, () => this.error);
  }
  events() {
    return this.#read(this.#replay.oldest, (value) => ({ value }));
  }
  result() {
    const { promise } = this.#outcome;
    const leave = this.#enter();
    promise.then(leave, leave);
    return promise;
  }
  async stop() {
    const { id } = this;
    if (id === void 0) return this.withdraw("requested");
    const { status } = await this.#around.wire.ask(`${pathOf(id)}/cancel`, "POST");
    if (this.connection === "idle") this.status = status;
    else this.takeStatus(status);
    this.changed();
  }
  detach() {
    this.#leave(Object.assign(new Error("The run is no longer followed."), { name: "AbortError" }));
  }
  subscribe(listener) {
    const entry = { place: this.#replay.oldest, isDue: false, call: listener };
    this.#listeners.add(entry);
    const leave = this.#enter();
    if (entry.place.next || this.hasEnded) this.#tell(entry);
    return () => {
      this.#listeners.delete(entry);
      leave();
    };
  }
  /** Start the run, without following it; resolves when its id is known. */
  async begin() {
    await this.#follower.go(false);
    if (this.#broken) throw this.#broken.reason;
    return this;
  }
  /** Follow the run, unless it is already followed. */
  follow() {
    void this.#follower.go(true);
  }
  /** Stop following the run until there is a reader again. */
  rest() {
    this.#follower.rest();
  }
  // Called by the follower.
  get hasEnded() {
    return this.connection === "closed" || this.outcome !== void 0;
  }
  async withdraw(reason) {
    await this.#leave(failure("CANCELLED", "Cancelled before its id was known", { statusCode: 409, data: { reason } }), reason === "requested");
  }
  learn(id, status, cursor) {
    if (this.id === void 0) this.identify(id, cursor);
    if (status) this.takeStatus(status);
  }
  takeAll(frames) {
    const events = frames.flatMap((frame) => this.take(frame) ?? []);
    for (const event of events) this.#replay.add(event);
    if (frames.length) this.#settle();
  }
  takeSnapshot(snapshot) {
    const { seq } = this;
    for (const event of this.takePoll(snapshot)) this.#replay.add(event);
    this.#settle();
    return this.seq > seq || this.outcome !== void 0;
  }
  takeOutcome(snapshot) {
    if (TERMINAL.has(snapshot.status)) this.conclude(snapshot);
    this.#settle();
  }
  close(reason) {
    this.#broken = { reason };
    if (reason instanceof ActionError) {
      this.refuse(reason);
      this.error = reason;
    }
    this.#outcome.reject(reason);
    this.#over.abort();
    this.changed();
  }
  changed() {
    this.#news?.resolve();
    this.#news = void 0;
    for (const entry of this.#listeners) this.#tell(entry);
  }
  /** Stop following. If the id is not known and the start can have reached the server, tell the server to cancel it. */
  #leave(reason, isStopped) {
    if (this.hasEnded) return void 0;
    let told;
    if (this.id === void 0) {
      this.status = "cancelled";
      told = this.#start?.withdraw(this.#around.wire, isStopped);
    }
    this.#follower.leave(reason);
    return told;
  }
  #settle() {
    const { outcome } = this;
    if (outcome) {
      this.#follower.connection.close();
      this.error = outcome.error;
      if (outcome.error) this.#outcome.reject(outcome.error);
      else this.#outcome.resolve(outcome.result);
      this.#over.abort();
    }
    this.changed();
  }
  /** Read for one more reader. Call the returned function when the reader has gone: the last one closes the connection. */
  #enter() {
    const reader = {};
    this.#readers.add(reader);
    this.follow();
    return () => {
      this.#readers.delete(reader);
      queueMicrotask(() => this.#readers.size || this.rest());
    };
  }
  /** Iterate over selected events after a place; `failure` is thrown at the end, if there is one. */
  #read(at, pick, failure2) {
    const left = new Deferred();
    const end = { done: true, value: void 0 };
    let isOver = false;
    let leave;
    const finish = () => {
      isOver = true;
      leave?.();
      left.resolve();
    };
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: async () => {
        if (!isOver) leave ??= this.#enter();
        while (!isOver) {
          const event = at.next?.event;
          if (at.next && event) {
            at = at.next;
            const picked = pick(event);
            if (picked) return picked;
          } else if (this.hasEnded) {
            finish();
            const reason = this.#broken ? this.#broken.reason : failure2?.();
            if (reason) throw reason;
          } else await Promise.race([(this.#news ??= new Deferred()).promise, left.promise]);
        }
        return end;
      },
      // Settles at once, also while `next` waits, which then reports the end.
      return: async () => {
        finish();
        return end;
      }
    };
  }
  /** Each listener is called in its own turn, so that its error stops neither the reading nor the others. */
  #tell(entry) {
    if (entry.isDue) return;
    entry.isDue = true;
    queueMicrotask(() => {
      entry.isDue = false;
      if (!this.#listeners.has(entry)) return;
      const batch = [];
      for (; entry.place.next?.event; entry.place = entry.place.next) batch.push(entry.place.next.event);
      entry.call(batch);
    });
  }
};

// src/start.ts
var BYTES_PER_MS = 8;
var Start = class {
  #action;
  #input;
  #options;
  #feeds;
  #body;
  #key;
  /** Whether it can have reached the server. */
  #isSent = false;
  /** `feeds`: the actions that are known to be started by GET. */
  constructor(action, input, options, feeds) {
    this.#action = action;
    this.#input = input;
    this.#options = options;
    this.#feeds = feeds;
    this.#body = bodyOf(input);
    this.#key = options.idempotencyKey ?? newKey();
    if (options.method === "GET") feeds.add(action);
  }
  /** Whether sending it again is as cheap as polling. */
  get isSmall() {
    return typeof this.#body === "string";
  }
  /** How much longer than usual its answer can take. */
  get uploadMs() {
    return filesIn(this.#body).reduce((ms, { size }) => ms + size / BYTES_PER_MS, 0);
  }
  /** Send it. Unless it `streams` it is answered at once, with only the run's id. */
  async send(wire, streams, signal) {
    await Promise.all(filesIn(this.#body).map(canBeRead));
    const send = (method) => wire.send(this.#request(method, streams, signal));
    if (this.#feeds.has(this.#action)) return send("GET");
    try {
      return await send("POST");
    } catch (reason) {
      const isWrongMethod = reason instanceof ActionError && reason.code === "METHOD_NOT_ALLOWED";
      if (!isWrongMethod || this.#options.method || !this.isSmall) throw reason;
      const answer = await send("GET");
      this.#feeds.add(this.#action);
      return answer;
    }
  }
  /**
   * Cancel the run by its key, because its id is not known: if it has started it is stopped, otherwise it never starts.
   * Resolves when the server was told, or when the first try has failed. The caller can find the run of its own key again, so that is cancelled only if it `isStopped`.
   */
  withdraw(wire, isStopped) {
    if (!this.#isSent || this.#options.idempotencyKey && !isStopped) return void 0;
    const { promise, resolve, reject } = new Deferred();
    wire.ask(`${encodeURIComponent(this.#action)}/cancel`, "POST", { "Idempotency-Key": this.#key }, resolve).then(resolve, reject);
    return promise;
  }
  #request(method, streams, signal) {
    const { detached, transport, onUpload } = this.#options;
    const headers = { "Idempotency-Key": this.#key };
    if (detached) headers["Prefer"] = "respond-async";
    else if (streams) headers["Accept"] = EVENT_STREAM;
    else headers["Prefer"] = "wait=0";
    const path = encodeURIComponent(this.#action);
    const request = { headers, signal, transport, starts: () => void (this.#isSent = true) };
    if (method === "GET") return { ...request, path: `${path}?${queryOf(this.#input)}` };
    return { ...request, path, method, body: this.#body, onUpload };
  }
};
function filesIn(body) {
  return typeof body === "string" ? [] : [...body.values?.() ?? []].filter((value) => typeof value !== "string");
}
async function canBeRead(file) {
  try {
    await file.slice(0, 1).arrayBuffer?.();
  } catch (reason) {
    throw failure("FILE_UNREADABLE", `Cannot read ${file.name}, choose it again: ${reason}`);
  }
}
function newKey() {
  return crypto.getRandomValues(new Uint8Array(16)).join("-");
}

// src/streams.ts
var LIMIT2 = 4;
async function takeStream({ href }, maxStreams, signal) {
  const origin = href.split("/", 3).join("/");
  const limit = maxStreams ?? (isLimited(origin) ? LIMIT2 : Infinity);
  if (limit === Infinity) return true;
  try {
    const { takePlace: takePlace2 } = await Promise.resolve().then(() => (init_place(), place_exports));
    return await takePlace2(origin, limit, signal);
  } catch {
    return true;
  }
}
function isLimited(origin) {
  if (typeof location === "undefined") return false;
  const entries = ["navigation", "resource"].flatMap((type) => performance.getEntriesByType?.(type) ?? []);
  return !entries.some(({ name, nextHopProtocol }) => name.startsWith(`${origin}/`) && /^h[23]/.test(nextHopProtocol));
}

// src/client.ts
var IDLE_MS = 45e3;
var OPENING_MS = 3e3;
var PROBED = /^([$@_]|(then|toJSON|asymmetricMatch)$)/;
var UNMET_MS = 3e4;
function createClient(options) {
  return createClientIn(PAGE, options);
}
function createClientIn(environment, options) {
  const server = serverOf(environment, options);
  const members = { runs: runsOf(server) };
  return new Proxy(members, {
    get: (_, name) => typeof name === "symbol" || PROBED.test(name) ? void 0 : members[name] ??= actionOf(server, name)
  });
}
async function* readStreamableValue(run) {
  let value;
  for await (const { type, data } of run.events()) {
    if (type === "restarted") value = void 0;
    for (value of valuesOf(value, data)) yield value;
  }
  if (run.error) throw run.error;
}
function serverOf(environment, options) {
  const { keep, idleMs = IDLE_MS, giveUpMs = Infinity, openingMs = OPENING_MS, transport = "auto" } = options;
  const wire = new Wire(options, environment);
  const take2 = (signal) => takeStream(wire.base, options.maxStreams, signal);
  const shared = { wire, environment, route: new Route(), takeStream: take2, idleMs, giveUpMs, unmetMs: options.giveUpMs ?? UNMET_MS, openingMs };
  const around = (own = transport) => ({ ...shared, transport: own });
  const feeds = /* @__PURE__ */ new Set();
  return {
    wire,
    call: (action, input, call) => new LiveRun(around(call.transport), { ...call, keep: call.keep ?? keep, start: new Start(action, input, { ...call, transport: call.transport ?? transport }, feeds) }),
    attach(id, cursor, options2 = {}) {
      const run = new LiveRun(around(options2.transport), { ...options2, keep: options2.keep ?? keep, id, cursor });
      run.follow();
      return run;
    }
  };
}
function actionOf(server, name) {
  const call = (input, options = {}) => {
    const run = server.call(name, input, options);
    run.follow();
    return run;
  };
  const start = async (input, options = {}) => server.call(name, input, { ...options, detached: true }).begin();
  return Object.assign(call, { start, attach: server.attach, action: name });
}
function runsOf({ attach, wire }) {
  const ask2 = (path, method) => wire.ask(path, method);
  return {
    attach,
    list: (query) => ask2(`runs?${queryOf(query)}`).then(pageOf),
    get: (id) => ask2(pathOf(id)),
    cancel: (id) => ask2(`${pathOf(id)}/cancel`, "POST"),
    delete: (id) => ask2(pathOf(id), "DELETE").then(() => void 0)
  };
}
function pageOf(answer) {
  const { runs, next } = fieldsOf(answer);
  if (!Array.isArray(runs)) throw protocolError("Not a list of runs");
  return Object.assign(runs, { next: typeof next === "string" ? next : null });
}
export {
  ActionError,
  bodyOf,
  createClient,
  queryOf,
  readStreamableValue,
  textOf
};
