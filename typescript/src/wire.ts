/** Requests to one mounted application, and the meaning of their answers. */

import { uploadMs } from "./body.js";
import type { ClientOptions, TransportName } from "./contract.js";
import { backoffMs, isFinal, Lost, retryAfterMs } from "./core/connection.js";
import { ActionError, errorOf, failure, foreign } from "./core/error.js";
import { fieldsOf } from "./core/event.js";
import { type Environment, pause } from "./environment.js";
import { onDemand } from "./ondemand.js";
import type { Answer, Carrier } from "./transports/carrier.js";
import { byFetch } from "./transports/fetch.js";

/** One request; its path is relative to the base. */
export interface Request {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | FormData | undefined;
  readonly signal?: AbortSignal;
  /** Called when it is sent, if it starts a run: then the error of a run is that run's own end. */
  readonly starts?: () => void;
  /** Whether it must be sent without waiting, and outlives the page. */
  readonly keepalive?: boolean;
  readonly transport?: TransportName | undefined;
  readonly onUpload?: ((sentBytes: number, totalBytes: number) => void) | undefined;
}

export const EVENT_STREAM = "text/event-stream";

const UNREACHED = "The server cannot be reached";
/** How many times a short request is tried: stop, snapshot, list. */
const TRIES = 5;
/** The maximum of characters in a body that outlives its page: browsers allow 64 KiB in all. */
const LASTING = 2 ** 14;
/** How long one try can take. */
const REQUEST_MS = 15_000;

/** A client's way to its server. */
export class Wire {
  readonly #options: ClientOptions;
  readonly #environment: Environment;
  readonly #fetch: Carrier;
  /** The newest headers of the page, with its token. */
  #given: Headers | undefined;

  constructor(options: ClientOptions, environment: Environment) {
    this.#options = options;
    this.#environment = environment;
    this.#fetch = byFetch(options.fetch ?? ((...order) => globalThis.fetch(...order)));
  }

  /** Computed when needed: pages are also rendered on servers, where no request is sent, and where a relative URL is invalid. */
  get base(): URL {
    // Not by `pathname`, which is read-only in React Native's URL.
    return new URL(String(this.#options.url).replace(/\/?$/, "/"), globalThis.location?.href);
  }

  /** One request. Throws `Lost` if a retry can help, and an `ActionError` if it cannot. */
  async send(request: Request): Promise<Answer> {
    let answer = await this.#carry(request, false);
    const isRenewable = [this.#options.token, this.#options.headers].some((source) => source instanceof Function);
    // What was valid for the last request can have expired.
    // With the last token, a user who has signed in since is forbidden too.
    const isRefused = answer.status === 401 || (request.keepalive && answer.status === 403);
    if (isRefused && isRenewable) answer = await this.#carry(request, true);
    const { status } = answer;
    if (status >= 200 && status < 300) return answer;
    const error = errorOf(await jsonOf(answer).catch(() => undefined), answer);
    if (isFinal(status, error, Boolean(request.starts))) throw error;
    throw new Lost(error.message, retryAfterMs(answer.header("Retry-After"), this.#environment.now()), error);
  }

  /** One request's JSON: a snapshot, or a page of a list. */
  async read(request: Request): Promise<unknown> {
    const answer = await this.send(request);
    const json = await jsonOf(answer);
    const { status, runId = status, runs } = fieldsOf(json);
    const isOurs = request.method === "DELETE" ? answer.status === 204 : /^runs\?/.test(request.path) ? Array.isArray(runs) : typeof runId === "string";
    if (!isOurs) throw new Lost(foreign(answer));
    return json;
  }

  /** The same, unless it takes too long, at any stage. */
  within(ms: number, request: Request): Promise<unknown> {
    const link = new AbortController();
    const stop = this.#environment.after(ms, () => link.abort(silence(ms)));
    return Promise.race([this.read({ ...request, signal: link.signal }), cut(link.signal)]).finally(stop);
  }

  /** A short request that is safe to repeat, retried until it is answered; returns its JSON. `onLost` is called when a try has failed. */
  async ask(path: string, method: string = "GET", headers?: Record<string, string>, onLost?: (none: undefined) => void, content: string | FormData = "{}"): Promise<unknown> {
    const body = method === "POST" ? content : undefined;
    const request = { path, method, headers, body, keepalive: (body as string)?.length < LASTING }; // neither without a body nor with a form
    const ms = (this.#options.requestMs ?? REQUEST_MS) + uploadMs(content);
    let mayBeDone = false;
    for (let failures = 1; ; failures++) {
      try {
        return await this.within(ms, request);
      } catch (reason) {
        if (!(reason instanceof Lost)) {
          // Already gone: an earlier try deleted it.
          if (mayBeDone && method === "DELETE" && (reason as ActionError).code === "NOT_FOUND") return;
          throw reason;
        }
        onLost?.(undefined);
        mayBeDone ||= !((reason.error?.statusCode as number) < 500); // or no answer at all
        if (failures === TRIES) throw givenUp(reason);
        await pause(this.#environment, Math.max(reason.afterMs, backoffMs(failures, this.#environment.chance())), undefined, reason.afterMs > 0);
      }
    }
  }

  async #carry(request: Request, isRefused: boolean): Promise<Answer> {
    const { method = "GET", signal, transport, onUpload } = request;
    const headers = await this.#headers(request, isRefused);
    const order = { ...request, method, headers, url: this.base.href + request.path, credentials: this.#options.credentials };
    try {
      // React Native's own fetch returns an answer only when it is complete.
      const isWanted = /^[wx]/.test(transport as string) || onUpload || (transport !== "sse" && !this.#options.fetch && !("body" in Response.prototype));
      let carrier = this.#fetch;
      // Rarely needed, so it is loaded on demand. If a deploy has removed the file, an upload is sent without progress.
      if (isWanted) carrier = await onDemand().then((it) => it.carrierFor(transport, this.base.href, carrier)).catch(() => carrier);
      if (signal?.aborted) throw signal.reason; // not every fetch supports signals
      request.starts?.();
      return await carrier(order);
    } catch (reason) {
      const isForeign = globalThis.location && !order.url.startsWith(location.origin);
      throw Lost.by(reason, UNREACHED + (isForeign ? ", or refuses this origin" : ""));
    }
  }

  async #headers({ headers, body, keepalive }: Request, isRefused: boolean): Promise<Headers> {
    // A page that goes away cannot wait for a token: the last one is used until it is refused.
    if (!keepalive || isRefused || !this.#given) {
      const fresh = new Headers(await given(this.#options.headers, isRefused));
      const bearer = await given(this.#options.token, isRefused);
      if (bearer !== undefined) fresh.set("Authorization", `Bearer ${bearer}`);
      this.#given = fresh;
    }
    const all = new Headers(this.#given);
    all.set("Accept", "application/json");
    for (const name in headers) all.set(name, headers[name] as string);
    if (typeof body === "string") all.set("Content-Type", "application/json");
    return all;
  }
}

/** The URL of a run. */
export function pathOf(id: string): string {
  return `runs/${encodeURIComponent(id)}`;
}

/** The caller's error when a lost connection is not retried: the server's own, or that no server has answered. */
export function givenUp(lost: Lost, runId: string | null = null): ActionError {
  if (lost.error && lost.isTold) return lost.error;
  return failure("UNREACHABLE", lost.message, { retryable: true, runId });
}

/** The JSON of an answer, whatever its headers say (a proxy can strip them). Throws `Lost` if it is cut off, or not JSON. */
export async function jsonOf(answer: Answer): Promise<unknown> {
  if (answer.status === 204) return null;
  try {
    return JSON.parse(await answer.text()) as unknown;
  } catch (reason) {
    throw Lost.by(reason, answer.header("Content-Type")?.includes("json") ? undefined : foreign(answer));
  }
}

/** Rejects when the signal is aborted: not everything that is awaited supports signals, for example a token function. */
export function cut(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(Lost.by(signal.reason))));
}

/** Why a try was aborted. */
export function silence(ms: number): string {
  return `no answer in ${ms} ms`;
}

/** The option's value, or the result of its function. If the function cannot reach the network, which `fetch` reports by a TypeError, the error is temporary. */
async function given<T>(source: T | ((asked: { isRefused: boolean }) => T | Promise<T>), isRefused: boolean): Promise<T> {
  try {
    return await (source instanceof Function ? source({ isRefused }) : source);
  } catch (reason) {
    throw reason instanceof TypeError ? Lost.by(reason, UNREACHED) : reason;
  }
}
