/** The id of a run, kept where a reload finds it. */

/** Where an id can be kept: `sessionStorage`, `localStorage`, or an object like them. */
export interface RunStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A key in `sessionStorage`, or a key and its storage. */
export type Persist = string | { readonly key: string; readonly storage: RunStorage };

/** The key, which says whether two values of `persist` are the same: components often create a new object for each render. */
export function keyOf(persist: Persist | undefined): string | undefined {
  return typeof persist === "object" ? persist.key : persist;
}

/** Return the kept id, if any. */
export function recall(persist: Persist | undefined): string | undefined {
  return using(persist, "getItem") ?? undefined;
}

/** Keep an id. */
export function remember(persist: Persist | undefined, runId: string): void {
  using(persist, "setItem", runId);
}

/** Remove the id. */
export function forget(persist: Persist | undefined): void {
  using(persist, "removeItem");
}

/** If the storage is forbidden or full, every access throws, and the page works without it. */
function using(persist: Persist | undefined, act: keyof RunStorage, value: string = ""): string | null | void {
  try {
    const key = keyOf(persist);
    if (key !== undefined) return (typeof persist === "object" ? persist.storage : globalThis.sessionStorage)[act](key, value);
  } catch {
    // Nothing is kept.
  }
}
