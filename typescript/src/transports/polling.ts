import type { Snapshot } from "../core/event.js";
import { pathOf, type Wire } from "../wire.js";

/** How long a server may hold a poll; below the idle time-outs of common proxies. */
const HOLD_S = 25;
/** Before the server has said how soon to ask again. */
const PACE_MS = 500;

/** What is behind the cursor; where `isHeld`, the server answers when there is something. */
export async function poll<Chunk, Result>(
  wire: Wire,
  id: string,
  { cursor, isHeld, signal }: { readonly cursor: string; readonly isHeld: boolean; readonly signal: AbortSignal },
): Promise<Snapshot<Chunk, Result>> {
  const query = new URLSearchParams({ after: cursor, ...(isHeld && { wait: String(HOLD_S) }) });
  return (await wire.read({ path: `${pathOf(id)}?${query}`, signal })) as Snapshot<Chunk, Result>;
}

/** How long to wait before the next poll, as the server says. */
export function paceMs({ retryAfterMs }: Snapshot): number {
  return retryAfterMs === null ? 0 : (retryAfterMs ?? PACE_MS);
}
