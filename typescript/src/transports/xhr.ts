import type { Answer, Carrier, Order } from "./carrier.js";
import { Changes } from "./changes.js";

/** An answer's text is kept in memory as a whole, so a longer one is aborted; its run is resumed at the same place. */
const LONGEST = 16 * 1024 * 1024;

/** Send requests with XMLHttpRequest: it streams in environments where `fetch` does not, and reports how much of a body was sent. */
export const byXHR: Carrier = (order) =>
  new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const changes = new Changes();
    const fail = (message: string) => () => {
      changes.end(new TypeError(message));
      reject(new TypeError(message));
    };
    xhr.open(order.method, order.url);
    xhr.withCredentials = order.credentials === "include";
    order.headers.forEach((value, name) => xhr.setRequestHeader(name, value));
    xhr.upload?.addEventListener("progress", ({ loaded, total }) => order.onUpload?.(loaded, total));
    xhr.addEventListener("readystatechange", () => {
      if (xhr.readyState === xhr.HEADERS_RECEIVED) resolve(answerOf(xhr, changes));
    });
    xhr.addEventListener("progress", () => changes.note());
    xhr.addEventListener("load", () => changes.end());
    xhr.addEventListener("error", fail("Network error"));
    xhr.addEventListener("abort", fail("Aborted"));
    abortWith(order, xhr);
    if (!order.signal?.aborted) xhr.send(order.body ?? null);
  });

function abortWith({ signal }: Order, xhr: XMLHttpRequest): void {
  const abort = (): void => xhr.abort();
  signal?.addEventListener("abort", abort);
  xhr.addEventListener("loadend", () => signal?.removeEventListener("abort", abort));
  if (signal?.aborted) abort();
}

function answerOf(xhr: XMLHttpRequest, changes: Changes): Answer {
  return {
    status: xhr.status,
    statusText: xhr.statusText,
    header: (name) => xhr.getResponseHeader(name),
    async text() {
      while (!changes.hasEnded) await changes.next();
      return xhr.responseText;
    },
    pieces: () => piecesOf(xhr, changes),
  };
}

async function* piecesOf(xhr: XMLHttpRequest, changes: Changes): AsyncGenerator<string> {
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
