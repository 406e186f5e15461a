/** Time and paint that a test moves. */

import { vi } from "vitest";

/** The time of one picture, which is also that of the fallback timer. */
export const PICTURE_MS = 16;

/** Let everything happen that was promised, and then paint once. */
export async function paint(pictures = 1): Promise<void> {
  await vi.advanceTimersByTimeAsync(pictures * PICTURE_MS);
}
