/** The id of a run, kept where a reload finds it. */

/** Where an id can be kept: `sessionStorage`, `localStorage`, or an object like them. */
export interface RunStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A key in `sessionStorage`, or a key and its storage. */
export type Persist = string | { readonly key: string; readonly storage: RunStorage };

/** The key and the storage, to compare two values of `persist`: components often create a new object for each render. */
export function partsOf(persist: Persist | undefined): readonly [key?: string | undefined, storage?: RunStorage | undefined] {
  return typeof persist === "object" ? [persist.key, persist.storage] : [persist];
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
    const [key, storage = globalThis.sessionStorage] = partsOf(persist);
    if (key !== undefined) return storage[act](key, value);
  } catch {
    // Nothing is kept.
  }
}
