/** Polls, for runs whose events cannot come as a stream. Loaded when needed, so it imports nothing. */

import type { Snapshot } from "../core/event.js";

/** How long a server can hold a poll; below the idle timeouts of common proxies. */
const HOLD_S = 25;
/** After a failure, until the server has said when to poll again. */
const FIRST_MS = 3_000;
/** Used until the server has said when to poll again. */
const PACE_MS = 500;

/** The run that is polled. */
export interface Polled {
  readonly cursor: string | undefined;
  /** Take a poll's answer; returns whether anything in it is new. */
  takeSnapshot(snapshot: Snapshot): boolean;
}

/** Sends a poll with this query. */
type Read = (query: string) => Promise<Snapshot>;

/** Poll once; if `isHeld`, the server answers when there is something new. Returns how long to wait before the next poll. */
export async function poll(run: Polled, isHeld: boolean, read: Read, heard: () => void, nowMs: () => number): Promise<number> {
  const beganMs = nowMs();
  const snapshot = await ask(run, read, isHeld);
  heard();
  const isNew = run.takeSnapshot(snapshot);
  const wasHeld = isHeld && (isNew || nowMs() - beganMs > paceMs(snapshot));
  return wasHeld ? 0 : paceMs(snapshot);
}

/** Poll for what a silent stream may be holding back, as long as it is `quiet`; returns whether there was something. */
export async function help(run: Polled, read: Read, quiet: AbortSignal, wait: (ms: number) => Promise<void>, identify: () => Promise<unknown>, mostMs: number): Promise<boolean> {
  for (let waitMs = FIRST_MS; !quiet.aborted; await wait(waitMs)) {
    try {
      await identify();
      if (run.cursor) {
        const snapshot = await ask(run, read);
        if (quiet.aborted) break;
        if (run.takeSnapshot(snapshot)) return true;
        waitMs = paceMs(snapshot);
      }
    } catch {
      waitMs = Math.min(waitMs * 2, mostMs); // the stream itself will show the fault
    }
  }
  return false;
}

function ask(run: Polled, read: Read, isHeld?: boolean): Promise<Snapshot> {
  const query = new URLSearchParams({ after: run.cursor ?? "", ...(isHeld && { wait: String(HOLD_S) }) });
  return read(`?${query}`);
}

/** How long to wait before the next poll, according to the server. */
function paceMs({ retryAfterMs }: Snapshot): number {
  return retryAfterMs === null ? 0 : (retryAfterMs ?? PACE_MS);
}
