import type { Snapshot } from "../core/event.js";
import { pathOf, type Wire } from "../wire.js";

/** How long a server can hold a poll; below the idle timeouts of common proxies. */
const HOLD_S = 25;
/** Used until the server has said when to poll again. */
const PACE_MS = 500;

/** The events after the cursor; if `isHeld`, the server answers when there are some. */
export async function poll<Chunk, Result>(
  wire: Wire,
  id: string,
  { cursor, isHeld, signal }: { readonly cursor: string; readonly isHeld: boolean; readonly signal: AbortSignal },
): Promise<Snapshot<Chunk, Result>> {
  const query = new URLSearchParams({ after: cursor, ...(isHeld && { wait: String(HOLD_S) }) });
  return (await wire.read({ path: `${pathOf(id)}?${query}`, signal })) as Snapshot<Chunk, Result>;
}

/** How long to wait before the next poll, according to the server. */
export function paceMs({ retryAfterMs }: Snapshot): number {
  return retryAfterMs === null ? 0 : (retryAfterMs ?? PACE_MS);
}
