/** A streamable value: `value` chunks replace it, `append` chunks let its text grow. */

import { fieldsOf } from "./event.js";

/** The value after a chunk; a chunk of another kind leaves it as it was. */
export function foldValue<T>(value: T | undefined, chunk: unknown): T | undefined {
  const { type, value: next, text } = fieldsOf(chunk);
  if (type === "value") return next as T;
  if (type !== "append") return value;
  return ((typeof value === "string" ? value : "") + String(text)) as T;
}

/** Whether a chunk changes a streamable value. */
export function isValueChange(chunk: unknown): boolean {
  const { type } = fieldsOf(chunk);
  return type === "value" || type === "append";
}
