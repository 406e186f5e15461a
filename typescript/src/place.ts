/** Limits the streams to one origin: over all tabs if the browser has Web Locks, otherwise in this page. */

/** The places that this page has taken without Web Locks. */
const taken = new Set<string>();

/** Take one of `limit` places until the signal is aborted; returns whether one was free. */
export async function takePlace(origin: string, limit: number, signal: AbortSignal): Promise<boolean> {
  let isTaken = false;
  for (let number = 0; number < limit && !isTaken; number++) isTaken = await take(`yieldwire ${origin} ${number}`, signal);
  return isTaken;
}

/** Take this place, unless it is taken. The browser releases the places of a closed tab. */
async function take(place: string, signal: AbortSignal): Promise<boolean> {
  try {
    return await new Promise((resolve, reject) => {
      const hold = (lock: Lock | null): unknown => {
        resolve(lock !== null);
        return lock && !signal.aborted && new Promise((release) => signal.addEventListener("abort", release));
      };
      navigator.locks.request(place, { ifAvailable: true }, hold).catch(reject);
    });
  } catch {
    // There are no locks, or none for this page, so it counts only its own streams.
    if (taken.has(place) || signal.aborted) return false;
    taken.add(place);
    signal.addEventListener("abort", () => taken.delete(place));
    return true;
  }
}
