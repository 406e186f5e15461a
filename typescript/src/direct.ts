/**
 * Uploads that go to the server's object store directly, where the server offers that (PROTOCOL.md 4).
 *
 * Whatever goes wrong with it, the files are sent with the start instead: so nothing depends on whether
 * this page can reach the object store, or the server has one.
 */

import { fieldsOf } from "./core/event.js";
import { SHA256 } from "./sha256.js";

/** Which uploads are direct. */
export interface DirectUploadsOptions {
  /** Files of an input that have together at least this many bytes are. Default: 8 MiB. */
  readonly fromBytes?: number | undefined;
  /** Called with how much of an input's files was sent. */
  readonly onUpload?: ((sentBytes: number, totalBytes: number) => void) | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** A file, as the server is told about it. */
interface NewFile {
  readonly sha256: string;
  readonly size: number;
  readonly contentType: string;
}

/** A request that writes one file. */
interface SignedPut {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What the start says instead of having the files. */
interface Sent {
  readonly place: string;
  readonly files: readonly NewFile[];
}

type Report = (sentBytes: number) => void;

const FROM_BYTES = 8 * 1024 * 1024;
/** How much of a file is hashed at a time: some milliseconds. */
const PIECE_BYTES = 1024 * 1024;
const TRIES = 3;
const PAUSE_MS = 1_000;
/** Answers and messages to runs have files too, which always go with them. */
const TO_A_RUN = /\/runs\/[^/?]+\/(questions|inbox)\b/;

/**
 * Create a `fetch` that writes the files of large inputs to the server's object store:
 * `createClient({ url, fetch: directUploads() })`. A call that has `onUpload` sends its files with the start; use that of these options.
 */
export function directUploads(options: DirectUploadsOptions = {}): typeof globalThis.fetch {
  const { fromBytes = FROM_BYTES, onUpload, fetch = (...request) => globalThis.fetch(...request) } = options;
  const uploads = new WeakMap<FormData, Promise<Sent | undefined>>();
  const refusing = new Set<string>();
  return async (input, init = {}) => {
    const { body } = init;
    const url = String(input);
    const files = init.method === "POST" && body instanceof FormData && !TO_A_RUN.test(url) ? filesOf(body) : [];
    const totalBytes = sum(files);
    if (!files.length || totalBytes < fromBytes || refusing.has(url)) return fetch(input, init);
    const form = body as FormData;
    // A start is repeated with the same body, whose files are written once.
    const upload = uploads.get(form) ?? send(fetch, url, init, files, () => refusing.add(url), onUpload && ((bytes) => onUpload(bytes, totalBytes)));
    uploads.set(form, upload);
    const sent = await upload.catch((reason) => {
      uploads.delete(form);
      throw reason;
    });
    return fetch(input, sent ? { ...init, body: bodyOf(form, sent), headers: headersOf(init, { "Upload-Place": sent.place }) } : init);
  };
}

/** The files of an input. A form that an application made itself has none that can be named. */
function filesOf(form: FormData): Blob[] {
  if (typeof form.get !== "function" || typeof form.get(":input") !== "string") return []; // React Native's cannot be read
  return [...form].flatMap(([, value]) => (typeof value === "string" ? [] : [value]));
}

function sum(files: readonly Blob[]): number {
  return files.reduce((bytes, { size }) => bytes + size, 0);
}

/** Write the files; undefined if that is not possible. Rejects if it was aborted. */
async function send(fetch: typeof globalThis.fetch, url: string, init: RequestInit, files: readonly Blob[], refuse: () => void, report: Report = () => undefined): Promise<Sent | undefined> {
  try {
    const told: NewFile[] = [];
    for (const file of files) {
      told.push({ sha256: await hashOf(file, init.signal), size: file.size, contentType: file.type || "application/octet-stream" });
    }
    const headers = headersOf(init, { Accept: "application/json", "Content-Type": "application/json" });
    const answer = await fetch(`${url}/uploads`, { ...init, headers, body: JSON.stringify({ files: told }) });
    if (answer.status === 404) refuse();
    if (!answer.ok) return undefined;
    const { place, uploads } = fieldsOf(await answer.json()) as { readonly place: string; readonly uploads: readonly SignedPut[] };
    let doneBytes = 0;
    for (const [number, file] of files.entries()) {
      await write(fetch, uploads[number] as SignedPut, file, init.signal, (bytes) => report(doneBytes + bytes));
      doneBytes += file.size;
      report(doneBytes);
    }
    return { place, files: told };
  } catch {
    init.signal?.throwIfAborted();
    return undefined;
  }
}

async function hashOf(file: Blob, signal: AbortSignal | null | undefined): Promise<string> {
  const hash = new SHA256();
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    signal?.throwIfAborted();
    hash.update(new Uint8Array(await file.slice(at, at + PIECE_BYTES).arrayBuffer()));
  }
  return hash.digest();
}

async function write(fetch: typeof globalThis.fetch, { method, url, headers }: SignedPut, body: Blob, signal: AbortSignal | null | undefined, report: Report): Promise<void> {
  for (let tries = 1; ; tries++) {
    const order = { method, headers, body, signal: signal ?? null };
    const status = await (globalThis.XMLHttpRequest ? writeByXHR(url, order, report) : fetch(url, { ...order, credentials: "omit" }).then((answer) => answer.status)).catch(() => 0);
    signal?.throwIfAborted();
    if (status >= 200 && status < 300) return;
    if (tries === TRIES || (status >= 400 && status < 500)) throw new Error(`HTTP ${status}`);
    await new Promise((resolve) => setTimeout(resolve, tries * PAUSE_MS));
  }
}

/** The same with XMLHttpRequest, which reports how much was sent. */
function writeByXHR(url: string, { method, headers, body, signal }: { method: string; headers: SignedPut["headers"]; body: Blob; signal: AbortSignal | null }, report: Report): Promise<number> {
  return new Promise((resolve) => {
    const xhr = new XMLHttpRequest();
    const abort = (): void => xhr.abort();
    xhr.open(method, url);
    for (const name in headers) xhr.setRequestHeader(name, headers[name] as string);
    xhr.upload.addEventListener("progress", ({ loaded }) => report(loaded));
    xhr.addEventListener("loadend", () => {
      signal?.removeEventListener("abort", abort);
      resolve(xhr.status); // 0 without an answer
    });
    signal?.addEventListener("abort", abort);
    xhr.send(body);
  });
}

function headersOf(init: RequestInit, more: Readonly<Record<string, string>>): Headers {
  const headers = new Headers(init.headers);
  for (const name in more) headers.set(name, more[name] as string);
  return headers;
}

/** The same input, with what was told about each file in its part. */
function bodyOf(form: FormData, { files }: Sent): FormData {
  const body = new FormData();
  body.append(":input", form.get(":input") as string);
  for (const [number, file] of files.entries()) body.append(String(number), JSON.stringify(file));
  return body;
}
