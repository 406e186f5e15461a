/** Places for streams to one origin: for all tabs where the browser has Web Locks, for this page elsewhere. */

/** The places that this page has taken where there are no Web Locks. */
const taken = new Set<string>();

/** Take one of so many places until the signal comes; whether there was one. */
export async function takePlace(origin: string, limit: number, signal: AbortSignal): Promise<boolean> {
  let isTaken = false;
  for (let number = 0; number < limit && !isTaken; number++) isTaken = await take(`yieldwire ${origin} ${number}`, signal);
  return isTaken;
}

/** Take this place, unless somebody has it. The browser gives back what a closed tab had. */
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
    // There are no locks, or none for this page, which then counts for itself.
    if (taken.has(place) || signal.aborted) return false;
    taken.add(place);
    signal.addEventListener("abort", () => taken.delete(place));
    return true;
  }
}
