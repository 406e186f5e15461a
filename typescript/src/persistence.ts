/** The id of a run, kept where a reload finds it. */

/** Where an id can be kept: `sessionStorage`, `localStorage`, or an object like them. */
export interface RunStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A key in `sessionStorage`, or a key and its storage. */
export type Persist = string | { readonly key: string; readonly storage: RunStorage };

/** The key and the storage; two values are compared by them, since an object is often created again for each render. */
export function partsOf(persist: Persist | undefined): readonly [key: string | undefined, storage: RunStorage | undefined] {
  return typeof persist === "object" ? [persist.key, persist.storage] : [persist, undefined];
}

/** Return the kept id, if any. */
export function recall(persist: Persist | undefined): string | undefined {
  return using(persist, (storage, key) => storage.getItem(key)) ?? undefined;
}

/** Keep an id. */
export function remember(persist: Persist | undefined, runId: string): void {
  using(persist, (storage, key) => storage.setItem(key, runId));
}

/** Remove the id. */
export function forget(persist: Persist | undefined): void {
  using(persist, (storage, key) => storage.removeItem(key));
}

/** A page whose storage is forbidden or full throws on every access, and works without it. */
function using<T>(persist: Persist | undefined, use: (storage: RunStorage, key: string) => T): T | undefined {
  if (persist === undefined) return undefined;
  try {
    const { key, storage } = typeof persist === "string" ? { key: persist, storage: globalThis.sessionStorage } : persist;
    return use(storage, key);
  } catch {
    return undefined;
  }
}
