/** Limits the streams to one origin: over all tabs if the browser has Web Locks, otherwise in this page. */

import type { TransportName } from "./contract.js";

/** The places that this page has taken without Web Locks. */
const taken = new Set<string>();

/** Take one of `limit` places until the signal is aborted; returns how the stream travels: "auto" if one was free, else over a WebSocket if there is one. */
export async function takePlace(base: string, origin: string, limit: number, signal: AbortSignal): Promise<TransportName | undefined> {
  let isTaken = false;
  for (let number = 0; number < limit && !isTaken; number++) isTaken = await take(`yieldwire ${origin} ${number}`, signal);
  if (isTaken) return "auto";
  const { hasSocket } = await import("./transports/websocket.js");
  return (await hasSocket(base)) ? "websocket" : undefined;
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
