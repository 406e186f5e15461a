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

/** Get, set or remove the kept id. If the storage is forbidden or full, every access throws, and the page works without it. */
export function kept(persist: Persist | undefined, act: keyof RunStorage, id: string = ""): string | null | void {
  try {
    const key = keyOf(persist);
    if (key !== undefined) return (typeof persist === "object" ? persist.storage : globalThis.sessionStorage)[act](key, id);
  } catch {
    // Nothing is kept.
  }
}
