import type { Carrier } from "./carrier.js";

/** How long a page can go without a turn of the event loop before it feels stuck: two missed frames. */
const TURN_MS = 30;
/** How much is read at a time of a part, which can have megabytes; some hundred events. */
const PIECE_BYTES = 64 * 1024;

/** Send requests with `fetch`. */
export function byFetch(fetch: typeof globalThis.fetch): Carrier {
  return async ({ url, ...order }) => {
    const response = await fetch(url, { ...order, cache: "no-store" } as RequestInit);
    const { status, statusText, headers } = response;
    return { status, statusText, header: (name) => headers.get(name), text: () => response.text(), pieces: () => piecesOf(response) };
  };
}

async function* piecesOf(response: Response): AsyncGenerator<string> {
  if (!response.body) return yield await response.text(); // if fetch cannot stream, the answer arrives as one piece
  const reader = response.body.getReader();
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true }); // the decoder of the stream drops the mark
  try {
    let busyMs = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      for (let at = 0; at < part.value.length; at += PIECE_BYTES) {
        const sinceMs = performance.now();
        yield utf8.decode(part.value.subarray(at, at + PIECE_BYTES), { stream: true });
        busyMs += performance.now() - sinceMs;
        if (busyMs < TURN_MS) continue;
        busyMs = 0;
        // Data that has already arrived is read without a turn of the event loop: meanwhile a page could neither render nor handle input.
        if (globalThis.document && document.visibilityState !== "hidden") await new Promise((resolve) => setTimeout(resolve));
      }
    }
  } finally {
    reader.cancel().catch(() => undefined); // it can be broken already
  }
}
