/** A run's life. Written by `make generate` from `src/yieldwire/log/run.py`; change it there. */

/** Where a run is in its life. */
export type RunStatus = "pending" | "running" | "completed" | "failed" | "cancelled";

/** The status of a run after each event of its log. */
export const AFTER: Readonly<Record<string, RunStatus>> = { chunk: "running", question: "running", answer: "running", restarted: "pending", done: "completed", error: "failed", cancelled: "cancelled" };

/** The statuses of a run that has not ended. */
export const LIVE: readonly RunStatus[] = ["pending", "running"];

/** The statuses after which nothing follows. */
export const TERMINAL: readonly RunStatus[] = ["completed", "failed", "cancelled"];
