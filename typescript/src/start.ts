/** The request that starts a run: identical each time it is sent, including its key, so that repeating it starts nothing twice. */

import { bodyOf, queryOf } from "./body.js";
import type { CallOptions, TransportName } from "./contract.js";
import { ActionError, failure } from "./core/error.js";
import type { Answer } from "./transports/carrier.js";
import { EVENT_STREAM, type Request, type Wire } from "./wire.js";

/** How much of an upload was sent is not known, so it gets the time that it takes at 64 kbit/s. */
const BYTES_PER_MS = 8;

/** One call, which can be sent more than once. */
export class Start {
  readonly #action: string;
  readonly #input: unknown;
  readonly #options: CallOptions;
  readonly #feeds: Set<string>;
  readonly #body: string | FormData;
  readonly #key: string;
  /** Whether it can have reached the server. */
  #isSent = false;

  /** `feeds`: the actions that are known to be started by GET. */
  constructor(action: string, input: unknown, options: CallOptions, feeds: Set<string>) {
    this.#action = action;
    this.#input = input;
    this.#options = options;
    this.#feeds = feeds;
    this.#body = bodyOf(input);
    this.#key = options.idempotencyKey ?? newKey();
    if (options.method === "GET") feeds.add(action);
  }

  /** Whether sending it again is as cheap as polling. */
  get isSmall(): boolean {
    return typeof this.#body === "string";
  }

  /** How much longer than usual its answer can take. */
  get uploadMs(): number {
    return filesIn(this.#body).reduce((ms, { size }) => ms + size / BYTES_PER_MS, 0);
  }

  /** Send it. Unless it `streams` it is answered at once, with only the run's id. */
  async send({ wire, transport }: { readonly wire: Wire; readonly transport: TransportName }, streams: boolean, signal: AbortSignal): Promise<Answer> {
    await Promise.all(filesIn(this.#body).map(canBeRead));
    const send = (method: "GET" | "POST"): Promise<Answer> => wire.send({ ...this.#request(method, streams), signal, transport });
    if (this.#feeds.has(this.#action)) return send("GET");
    try {
      return await send("POST");
    } catch (reason) {
      const isWrongMethod = reason instanceof ActionError && reason.code === "METHOD_NOT_ALLOWED";
      if (!isWrongMethod || this.#options.method || !this.isSmall) throw reason;
      // An action that refuses POST can be a feed; GET starts nothing else.
      const answer = await send("GET");
      this.#feeds.add(this.#action);
      return answer;
    }
  }

  /**
   * Cancel the run by its key, because its id is not known: if it has started it is stopped, otherwise it never starts.
   * Resolves when the server was told, or when the first try has failed. The caller can find the run of its own key again, so that is cancelled only if it `isStopped`.
   */
  withdraw(wire: Wire, isStopped?: boolean): Promise<unknown> | undefined {
    if (!this.#isSent || (this.#options.idempotencyKey && !isStopped)) return undefined;
    const told = new Promise((resolve, reject) => wire.ask(`${encodeURIComponent(this.#action)}/cancel`, "POST", { "Idempotency-Key": this.#key }, resolve).then(resolve, reject));
    told.catch(() => undefined); // it need not be awaited
    return told;
  }

  #request(method: "GET" | "POST", streams: boolean): Request {
    const { detached, onUpload } = this.#options;
    const headers: Record<string, string> = { "Idempotency-Key": this.#key };
    if (detached) headers["Prefer"] = "respond-async";
    else if (streams) headers["Accept"] = EVENT_STREAM;
    else headers["Prefer"] = "wait=0";
    const path = encodeURIComponent(this.#action);
    const request = { headers, starts: () => void (this.#isSent = true) };
    if (method === "GET") return { ...request, path: `${path}?${queryOf(this.#input)}` };
    return { ...request, path, method, body: this.#body, onUpload };
  }
}

/** The files of a form. The form of React Native cannot be read. */
function filesIn(body: string | FormData): Blob[] {
  return typeof body === "string" ? [] : [...(body.values?.() ?? [])].filter((value) => typeof value !== "string");
}

/** Throws if a file was deleted or changed since it was chosen; the request itself would only report a failure. */
async function canBeRead(file: Blob): Promise<void> {
  try {
    // To Chromium a deleted file is empty, and its first byte can be read.
    await (file.size ? file.slice(0, 1) : file).arrayBuffer?.();
  } catch (reason) {
    throw failure("FILE_UNREADABLE", `Cannot read ${(file as File).name}, choose it again: ${reason}`);
  }
}

/** 128 random bits; `crypto.randomUUID` does not exist on http origins, this does. */
function newKey(): string {
  return crypto.getRandomValues(new Uint8Array(16)).join("-");
}
