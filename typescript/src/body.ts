/** The input of a call, or a message to a run, encoded for a request. */

import { failure } from "./core/error.js";

/** How much of an upload was sent is not known, so it gets the time that it takes at 64 kbit/s. */
const BYTES_PER_MS = 8;

/**
 * JSON text. If there are files anywhere in the input, a form with two kinds of parts (PROTOCOL.md 4):
 * the same JSON, with each file's name in its place, and the files, named by the numbers of their places.
 */
export function bodyOf(input: unknown = {}): string | FormData {
  if (input instanceof FormData) return input;
  const files: [Blob, name: string][] = [];
  const places: string[] = [];
  // `JSON.stringify` visits a value's members right after it was passed to this function, so its place is the newest one.
  const placeOf = new Map<unknown, string>();
  const text = JSON.stringify(input, function (this: unknown, key: string, value: unknown): unknown {
    const above = placeOf.get(this);
    const place = above === undefined ? "" : `${above}/${key.replace(/~/g, "~0").replace(/\//g, "~1")}`;
    if (value instanceof Blob) {
      const name = (value as Partial<File>).name || "blob"; // Node sends a part without a name as text
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
  // Form encoding does not change JSON text: its line ends are escaped.
  form.append(":input", `{"input":${text},"files":${JSON.stringify(places)}}`);
  for (const [number, file] of files.entries()) form.append(String(number), ...file);
  return form;
}

/** The files of a body. The form of React Native cannot be read. */
function filesIn(body: string | FormData): Blob[] {
  return typeof body === "string" ? [] : [...(body.values?.() ?? [])].filter((value) => typeof value !== "string");
}

/** How much longer than usual a request with this body can take. */
export function uploadMs(body: string | FormData): number {
  return filesIn(body).reduce((ms, { size }) => ms + size / BYTES_PER_MS, 0);
}

/** Throws if a file in a body was deleted or changed since it was chosen; the request itself would only report a failure. */
export async function canBeRead(body: string | FormData): Promise<void> {
  await Promise.all(filesIn(body).map(canReadFile));
}

async function canReadFile(file: Blob): Promise<void> {
  try {
    // To Chromium a deleted file is empty, and its first byte can be read.
    await (file.size ? file.slice(0, 1) : file).arrayBuffer?.();
  } catch (reason) {
    throw failure("FILE_UNREADABLE", `Cannot read ${(file as File).name}, choose it again: ${reason}`);
  }
}

/** The input as the query of a feed: scalars as text, lists of them as repeated fields, everything deeper as JSON. */
export function queryOf(input: unknown): URLSearchParams {
  const query = new URLSearchParams(); // React Native's takes no list
  for (const [name, value] of Object.entries(input ?? {})) for (const text of textsOf(value)) query.append(name, text);
  return query;
}

function textsOf(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (value instanceof Date) return [value.toJSON()];
  if (typeof value !== "object") return [String(value)];
  // An empty list, and one that looks like JSON, would be ambiguous.
  const isRepeated = Array.isArray(value) && !/^(\s*\[|$)/.test(String(value)) && value.every((item) => typeof (item ?? {}) !== "object");
  return isRepeated ? value.map(String) : [JSON.stringify(value)];
}
