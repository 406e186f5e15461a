/** Waiting for what comes about by itself, however busy the machine is. */

import { vi } from "vitest";

/** Wait until something holds; a test's own time is the limit. */
export async function until(holds: () => unknown): Promise<void> {
  await vi.waitUntil(holds, { timeout: 25_000, interval: 5 });
}
