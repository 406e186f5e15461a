/** Requests to one mounted application, and what their answers mean. */

import type { ClientOptions, TransportName } from "./contract.js";
import { backoffMs, isFinal, Lost, retryAfterMs } from "./core/connection.js";
import { ActionError, errorOf, foreign } from "./core/error.js";
import { fieldsOf } from "./core/event.js";
import { type Environment, pause } from "./environment.js";
import type { Answer, Carrier } from "./transports/carrier.js";
import { byFetch } from "./transports/fetch.js";

/** One request below the base. */
export interface Request {
  readonly path: string;
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | FormData | undefined;
  readonly signal?: AbortSignal;
  /** Whether it starts a run: then an error of a run is that run's own end. */
  readonly starts?: boolean;
  readonly transport?: TransportName | undefined;
  readonly onUpload?: ((sentBytes: number, totalBytes: number) => void) | undefined;
}

const UNREACHED = "The server cannot be reached";
/** How often a short request is sent: stop, snapshot, list. */
const TRIES = 5;
/** How long one of them may take. */
const REQUEST_MS = 15_000;

/** A client's way to its server. */
export class Wire {
  readonly #options: ClientOptions;
  readonly #environment: Environment;
  readonly #fetch: Carrier;

  constructor(options: ClientOptions, environment: Environment) {
    this.#options = options;
    this.#environment = environment;
    this.#fetch = byFetch(options.fetch ?? ((...order) => globalThis.fetch(...order)));
  }

  /** Not made before it is needed: pages are also rendered on servers, where nothing is asked, and a relative address is none. */
  get base(): URL {
    // Not by `pathname`, which React Native's URL does not let change.
    return new URL(String(this.#options.url).replace(/\/?$/, "/"), globalThis.location?.href);
  }

  /** One request. Throws `Lost` where repeating it may help, and an `ActionError` where it cannot. */
  async send(request: Request): Promise<Answer> {
    const answer = await this.#carry(request, false);
    const { token, headers } = this.#options;
    const isRenewable = [token, headers].some((source) => source instanceof Function);
    // What was good for the last request may have expired since.
    return this.#check(answer.status === 401 && isRenewable ? await this.#carry(request, true) : answer, request);
  }

  /** One request's JSON: a snapshot, or a page of a list. */
  async read(request: Omit<Request, "headers">): Promise<unknown> {
    const answer = await this.send({ ...request, headers: { Accept: "application/json" } });
    const json = await jsonOf(answer);
    const { status, runs } = fieldsOf(json);
    const isOurs = request.method === "DELETE" ? answer.status === 204 : typeof status === "string" || Array.isArray(runs);
    if (!isOurs) throw new Lost(foreign(answer));
    return json;
  }

  /** A short request that may be repeated, and is until it is answered; its JSON. */
  async ask(path: string, method: string = "GET"): Promise<unknown> {
    let mayBeDone = false;
    for (let failures = 1; ; failures++) {
      try {
        return await this.#inTime((signal) => this.read({ path, method, body: method === "POST" ? "{}" : undefined, signal }));
      } catch (reason) {
        // Not there any more, as an earlier try was to have it.
        if (!(reason instanceof Lost)) {
          if (mayBeDone && method === "DELETE" && (reason as ActionError).code === "NOT_FOUND") return;
          throw reason;
        }
        mayBeDone ||= !((reason.error?.statusCode as number) < 500); // or no answer at all
        if (failures === TRIES) throw givenUp(reason);
        await pause(this.#environment, Math.max(reason.afterMs, backoffMs(failures, this.#environment.chance())), undefined, reason.afterMs > 0);
      }
    }
  }

  /** Cut a try that takes too long, whatever it waits for. */
  async #inTime<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { requestMs = REQUEST_MS } = this.#options;
    const link = new AbortController();
    const stop = this.#environment.after(requestMs, () => link.abort(silence(requestMs)));
    try {
      return await Promise.race([act(link.signal), cut(link.signal)]);
    } finally {
      stop();
    }
  }

  async #carry(request: Request, isRefused: boolean): Promise<Answer> {
    const { path, method = "GET", body, signal, onUpload } = request;
    const headers = await this.#headers(request, isRefused);
    const order = { url: new URL(path, this.base).href, method, headers, body, signal, credentials: this.#options.credentials, onUpload };
    try {
      const carrier = await this.#carrier(request);
      return await carrier(order);
    } catch (reason) {
      const isForeign = globalThis.location && !order.url.startsWith(location.origin);
      throw Lost.by(reason, UNREACHED + (isForeign ? ", or refuses this origin" : ""));
    }
  }

  async #carrier({ transport, onUpload }: Request): Promise<Carrier> {
    const isWanted = transport === "xhr" || onUpload || (transport !== "sse" && !this.#options.fetch && !fetchStreams());
    if (!isWanted || typeof XMLHttpRequest === "undefined") return this.#fetch;
    try {
      return (await import("./transports/xhr.js")).byXHR; // few need it, so it is loaded by those who do
    } catch {
      return this.#fetch; // a deploy has taken the file away: nothing is told of the upload, but it is sent
    }
  }

  async #headers({ headers, body }: Request, isRefused: boolean): Promise<Headers> {
    const { headers: source, token } = this.#options;
    const all = new Headers(await given(source, isRefused));
    const bearer = await given(token, isRefused);
    if (bearer !== undefined) all.set("Authorization", `Bearer ${bearer}`);
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    if (typeof body === "string") all.set("Content-Type", "application/json");
    return all;
  }

  async #check(answer: Answer, { starts = false }: Request): Promise<Answer> {
    const { status } = answer;
    if (status >= 200 && status < 300) return answer;
    const error = errorOf(await jsonOf(answer).catch(() => undefined), answer);
    if (isFinal(status, error, starts)) throw error;
    throw new Lost(error.message, retryAfterMs(answer.header("Retry-After"), this.#environment.now()), error);
  }
}

/** Where a run is. */
export function pathOf(id: string): string {
  return `runs/${encodeURIComponent(id)}`;
}

/** What a caller is told when a lost connection is not tried again: what the server has said, or that none has answered. */
export function givenUp(lost: Lost, runId: string | null = null): ActionError {
  if (lost.error && lost.isTold) return lost.error;
  return new ActionError({ code: "UNREACHABLE", message: lost.message, statusCode: 0, retryable: true, runId });
}

/** The JSON of an answer, whatever its headers say, which a proxy may strip. Throws `Lost` where it is cut off, or something else. */
export async function jsonOf(answer: Answer): Promise<unknown> {
  if (answer.status === 204) return null;
  try {
    return JSON.parse(await answer.text()) as unknown;
  } catch (reason) {
    throw Lost.by(reason, answer.header("Content-Type")?.includes("json") ? "The answer was cut off" : foreign(answer));
  }
}

/** Fails when the signal comes: what is waited for may not know of it, as a token does not. */
export function cut(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(Lost.by(signal.reason, "The connection was lost"))));
}

/** Why a try was cut. */
export function silence(ms: number): string {
  return `no answer in ${ms} ms`;
}

/** What the page gives, or its function. That this does not reach the network either, which `fetch` says by a TypeError, passes. */
async function given<T>(source: T | ((asked: { isRefused: boolean }) => T | Promise<T>), isRefused: boolean): Promise<T> {
  try {
    return await (source instanceof Function ? source({ isRefused }) : source);
  } catch (reason) {
    throw reason instanceof TypeError ? Lost.by(reason, UNREACHED) : reason;
  }
}

/** React Native's own fetch hands over an answer when it is complete. */
function fetchStreams(): boolean {
  return typeof Response !== "undefined" && "body" in Response.prototype;
}
