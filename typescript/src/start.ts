/** The request that starts a run: the same each time that it is sent, key and all, so that repeating it starts nothing twice. */

import { bodyOf, queryOf } from "./body.js";
import type { CallOptions } from "./contract.js";
import { ActionError } from "./core/error.js";
import type { Answer } from "./transports/carrier.js";
import type { Request, Wire } from "./wire.js";

/** Of an upload it is not told how much has gone, so it is given the time that it takes at 64 kbit/s. */
const BYTES_PER_MS = 8;

/** One call, which may be sent more than once. */
export class Start {
  readonly #action: string;
  readonly #input: unknown;
  readonly #options: CallOptions;
  readonly #feeds: Set<string>;
  readonly #body: string | FormData;
  readonly #key: string;

  /** `feeds`: the actions that are known to be opened by GET. */
  constructor(action: string, input: unknown, options: CallOptions, feeds: Set<string>) {
    this.#action = action;
    this.#input = input;
    this.#options = options;
    this.#feeds = feeds;
    this.#body = bodyOf(input);
    this.#key = options.idempotencyKey ?? newKey();
    if (options.method === "GET") feeds.add(action);
  }

  /** Whether sending it again costs as little as asking would. */
  get isSmall(): boolean {
    return typeof this.#body === "string";
  }

  /** How much longer than others its answer may take. */
  get uploadMs(): number {
    return filesIn(this.#body).reduce((ms, { size }) => ms + size / BYTES_PER_MS, 0);
  }

  /** Send it. Unless it `streams` it is answered at once, with no more than the run's id. */
  async send(wire: Wire, streams: boolean, signal: AbortSignal): Promise<Answer> {
    await Promise.all(filesIn(this.#body).map(canBeRead));
    const send = (method: "GET" | "POST"): Promise<Answer> => wire.send(this.#request(method, streams, signal));
    if (this.#feeds.has(this.#action)) return send("GET");
    try {
      return await send("POST");
    } catch (reason) {
      const isWrongMethod = reason instanceof ActionError && reason.code === "METHOD_NOT_ALLOWED";
      if (!isWrongMethod || this.#options.method || !this.isSmall) throw reason;
      // What a POST does not start may be a feed; a GET starts nothing else.
      const answer = await send("GET");
      this.#feeds.add(this.#action);
      return answer;
    }
  }

  #request(method: "GET" | "POST", streams: boolean, signal: AbortSignal): Request {
    const { detached, transport, onUpload } = this.#options;
    const headers: Record<string, string> = {
      Accept: streams && !detached ? "text/event-stream" : "application/json",
      "Idempotency-Key": this.#key,
    };
    if (detached) headers["Prefer"] = "respond-async";
    else if (!streams) headers["Prefer"] = "wait=0";
    const path = encodeURIComponent(this.#action);
    const request = { headers, signal, transport, starts: true };
    if (method === "GET") return { ...request, path: `${path}?${queryOf(this.#input)}` };
    return { ...request, path, method, body: this.#body, onUpload };
  }
}

/** The files of a form. React Native's form cannot be read. */
function filesIn(body: string | FormData): Blob[] {
  return typeof body === "string" ? [] : [...(body.values?.() ?? [])].filter((value) => typeof value !== "string");
}

/** Throws where a file was deleted or changed since it was chosen, of which a request that carries it says no more than that it failed. */
async function canBeRead(file: Blob): Promise<void> {
  try {
    await file.slice(0, 1).arrayBuffer?.();
  } catch (reason) {
    const message = `Cannot read ${(file as File).name}, choose it again: ${reason}`;
    throw new ActionError({ code: "FILE_UNREADABLE", message, statusCode: 0 });
  }
}

/** 128 random bits; `crypto.randomUUID` is missing on http origins, and this is not. */
function newKey(): string {
  return crypto.getRandomValues(new Uint8Array(16)).join("-");
}
