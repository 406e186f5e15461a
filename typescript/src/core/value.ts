/** A streamable value: `value` chunks replace it, `append` chunks let its text grow. */

import { fieldsOf } from "./event.js";

/** The value after a chunk, alone; empty if the chunk is of another kind and does not change it. */
export function valuesOf<T>(value: T | undefined, chunk: unknown): T[] {
  const { type, value: next, text } = fieldsOf(chunk);
  if (type === "value") return [next as T];
  return type === "append" ? [((typeof value === "string" ? value : "") + (text as string)) as T] : [];
}
