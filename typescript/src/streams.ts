import type { TransportName } from "./contract.js";
import { onDemand } from "./ondemand.js";

/** How many connections are held open. Over HTTP/1.1 a browser opens six to an origin, for all tabs together, and the seventh request of any kind waits. */

/** Two of six stay free, for polls and for the page's other requests. */
const LIMIT = 4;

/** How one more stream can travel: at a place of its own, taken until the signal is aborted, or over a WebSocket; undefined if it cannot. */
export async function takeStream({ href }: URL, maxStreams: number | undefined, signal: AbortSignal): Promise<TransportName | undefined> {
  const origin = href.split("/", 3).join("/"); // React Native's URL has no `origin` before 0.80
  const limit = maxStreams ?? (isLimited(origin) ? LIMIT : Infinity);
  if (limit === Infinity) return "auto";
  try {
    return await (await onDemand()).takePlace(href, origin, limit, signal); // over HTTP/2 nobody needs it
  } catch {
    return "auto"; // it cannot be loaded: the stream itself will show whether the server can be reached
  }
}

/** Whether this browser speaks HTTP/1.1 to the origin, as far as it reports. */
function isLimited(origin: string): boolean {
  if (!globalThis.location) return false;
  // jsdom, for one, measures nothing.
  return !((performance.getEntries?.() ?? []) as PerformanceResourceTiming[]).some(({ name, nextHopProtocol }) => name.startsWith(`${origin}/`) && /^h[23]/.test(nextHopProtocol));
}
