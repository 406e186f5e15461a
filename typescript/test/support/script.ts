/** A server that gives scripted answers in order, and remembers what it was asked. */

import type { AnyAction, AnyActions, Client, ClientOptions } from "../../src/index.js";
import { createClientIn } from "../../src/client.js";
import "../../src/lazy.js"; // loaded before: the time of the page does not wait for it
import { VirtualPage } from "./page.js";

/** One request, as it arrived. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: unknown;
}

/** One answer. */
export type Scripted = (init: RequestInit) => Response | Promise<Response>;

/** The frame that opens each stream of the run `r1`. */
export const OPENING = 'id: r1.0\nevent: run\ndata: {"id":"r1","status":"running"}\n\n';

/** The frame of a chunk. */
export const chunk = (seq: number, data: unknown): string => `id: r1.${seq}\ndata: ${JSON.stringify(data)}\n\n`;

/** The frame of another event. */
export const event = (seq: number, type: string, data: unknown): string =>
  `id: r1.${seq}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;

/** The frame that ends a run well. */
export const done = (seq: number, result: unknown = null): string => event(seq, "done", { result });

/** A stream that ends cleanly behind these pieces. */
export function stream(...pieces: string[]): Scripted {
  return () => streamOf(pieces, (controller) => controller.close());
}

/** A stream that breaks behind these pieces. */
export function broken(...pieces: string[]): Scripted {
  return () => streamOf(pieces, (controller) => controller.error(new TypeError("network error")));
}

/** A stream that stays open, and silent, behind these pieces. */
export function silent(...pieces: string[]): Scripted {
  return ({ signal }) =>
    streamOf(pieces, (controller) => signal?.addEventListener("abort", () => controller.error(signal.reason)));
}

/** An answer of JSON. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): Scripted {
  return () => Response.json(body, { status, headers });
}

/** A refusal. */
export function refusal(status: number, error: object, headers?: Record<string, string>): Scripted {
  return json(status, { error: { message: "No.", ...error } }, headers);
}

/** No answer at all. */
export const unreachable: Scripted = () => Promise.reject(new TypeError("Failed to fetch"));

/** No answer, and no end. */
export const never: Scripted = ({ signal }) =>
  new Promise((_, reject) => {
    const abort = (): void => reject(signal?.reason as Error);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
  });

function streamOf(pieces: readonly string[], finish: (controller: ReadableStreamDefaultController) => void): Response {
  const left = [...pieces];
  const body = new ReadableStream({
    pull(controller) {
      const piece = left.shift();
      if (piece === undefined) finish(controller);
      else controller.enqueue(new TextEncoder().encode(piece));
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream; charset=utf-8", "Run-Id": "r1" } });
}

/** A client of a server that answers so. */
export function serve(
  answers: readonly Scripted[],
  options: Partial<ClientOptions> = {},
): { client: Client<AnyActions>; asked: Asked[]; page: VirtualPage; call: AnyAction } {
  const left = [...answers];
  const asked: Asked[] = [];
  const page = new VirtualPage();
  const fetch = async (url: RequestInfo | URL, init: RequestInit = {}): Promise<Response> => {
    const path = String(url).replace("http://test/api/", "");
    asked.push({ method: init.method ?? "", path, headers: new Headers(init.headers), body: init.body });
    const answer = left.shift();
    if (!answer) throw new Error(`unexpected request: ${init.method} ${path}`);
    return answer(init);
  };
  const client = createClientIn<AnyActions>(page, { url: "http://test/api", fetch, ...options });
  return { client, asked, page, call: client["count"] as AnyAction };
}
