/** What a client needs from its environment: time, randomness, and to know when the page wakes up. */

/** Time and wake-ups; tests pass their own. */
export interface Environment {
  now(): number;
  /** From 0 to 1. */
  chance(): number;
  /** Call back once, unless the returned function is called first. */
  after(ms: number, callback: () => void): () => void;
  /** Call back whenever a lost connection is worth a retry: `isOnline` says that the network came back. */
  onWake(listener: (isOnline: boolean) => void): () => void;
}

/** The window gets all of them, a worker only the first, other environments none. */
const WAKES = ["online", "pageshow", "visibilitychange"] as const;

/** The maximum of `setTimeout`; a longer timer fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** The page, worker or process in which this code runs. */
export const PAGE: Environment = {
  now: () => Date.now(), // continues while a machine sleeps; a monotonic clock can stop
  chance: () => Math.random(),
  after(ms, callback) {
    const timer = setTimeout(callback, Math.min(ms, LONGEST_MS));
    return () => clearTimeout(timer);
  },
  onWake(listener) {
    const scope = globalThis as Partial<EventTarget> & { readonly document?: Document };
    const hear = ({ type }: Event): void => {
      const isOnline = type === "online";
      if (isOnline || scope.document?.visibilityState !== "hidden") listener(isOnline);
    };
    for (const type of WAKES) scope.addEventListener?.(type, hear);
    return () => {
      for (const type of WAKES) scope.removeEventListener?.(type, hear);
    };
  },
};

/** Wait; the signal ends the wait early, and so does a wake-up unless the wait `isFirm`. */
export function pause(environment: Environment, ms: number, signal?: AbortSignal, isFirm?: boolean): Promise<void> {
  return new Promise((resolve) => {
    const stopTimer = environment.after(ms, wake);
    const stopWaking = environment.onWake(() => isFirm || wake());
    signal?.addEventListener("abort", wake);
    if (signal?.aborted) wake();
    function wake(): void {
      stopTimer();
      stopWaking();
      signal?.removeEventListener("abort", wake);
      resolve();
    }
  });
}
