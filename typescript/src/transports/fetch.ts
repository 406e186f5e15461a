import type { Answer, Carrier } from "./carrier.js";

/** Carry requests by `fetch`. */
export function byFetch(fetch: typeof globalThis.fetch): Carrier {
  return async ({ url, onUpload: _, ...order }) => answerOf(await fetch(url, { ...order, cache: "no-store" }));
}

function answerOf(response: Response): Answer {
  return {
    status: response.status,
    statusText: response.statusText,
    header: (name) => response.headers.get(name),
    text: () => response.text(),
    pieces: () => piecesOf(response),
  };
}

async function* piecesOf(response: Response): AsyncGenerator<string> {
  if (!response.body) return yield await response.text(); // where fetch cannot stream, the answer comes as one piece
  const reader = response.body.getReader();
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true }); // the decoder of the stream drops the mark
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      yield utf8.decode(part.value, { stream: true });
    }
  } finally {
    reader.cancel().catch(() => undefined); // it may be broken already
  }
}
