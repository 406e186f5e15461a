/** The input of a call, as a request carries it. */

const isFile = (value: unknown): value is Blob => value instanceof Blob;

/** JSON text, or a form where a field is a file or a list of files. */
export function bodyOf(input?: unknown): string | FormData {
  if (input instanceof FormData) return input;
  const fields = Object.entries(input ?? {}) as [string, unknown][];
  if (!fields.some(([, value]) => filesOf(value))) return JSON.stringify(input ?? {});
  const form = new FormData();
  for (const [name, value] of fields) {
    for (const one of filesOf(value) ?? textsOf(value)) form.append(name, one);
  }
  return form;
}

/** The input as the query of a feed. */
export function queryOf(input: unknown): URLSearchParams {
  const fields = Object.entries(input ?? {}) as [string, unknown][];
  return new URLSearchParams(fields.flatMap(([name, value]) => textsOf(value).map((text) => [name, text])));
}

function filesOf(value: unknown): Blob[] | undefined {
  if (isFile(value)) return [value];
  const isList = Array.isArray(value) || (typeof FileList !== "undefined" && value instanceof FileList);
  const items: unknown[] = isList ? [...(value as Iterable<unknown>)] : [];
  return items[0] && items.every(isFile) ? items : undefined;
}

/** A field as a form sends it: scalars as text, lists of them as repeated fields, everything deeper as JSON. */
function textsOf(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (value instanceof Date) return [value.toJSON()];
  if (typeof value !== "object") return [String(value)];
  const isPlain = Array.isArray(value) && value.every((item) => typeof (item ?? {}) !== "object");
  // A list of one that looks like JSON, and an empty one, could not be told from something else.
  const isRepeated = isPlain && (value.length > 1 || (value.length === 1 && !/^\s*\[/.test(String(value[0]))));
  return isRepeated ? value.map(String) : [JSON.stringify(value)];
}
