/** A run's life. Written by `make generate` from `src/yieldwire/log/run.py`; change it there. */

/** Where a run is in its life. */
export type RunStatus = "pending" | "running" | "completed" | "failed" | "cancelled";

/** Which status follows another when an event happens. */
export const TRANSITIONS: Readonly<Record<RunStatus, Readonly<Record<string, RunStatus>>>> = {
  pending: { started: "running", cancelled: "cancelled", error: "failed" },
  running: { chunk: "running", restarted: "pending", done: "completed", error: "failed", cancelled: "cancelled" },
  completed: {},
  failed: {},
  cancelled: {},
};

/** The statuses after which nothing follows. */
export const TERMINAL: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);
