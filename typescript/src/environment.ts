/** What a client asks of the page around it: time, chance, and to be told when the page comes back to life. */

/** Time and wake-ups; tests hand in their own. */
export interface Environment {
  now(): number;
  /** From 0 to 1. */
  chance(): number;
  /** Call back once, unless the function that this returns is called before. */
  after(ms: number, callback: () => void): () => void;
  /** Hear of every moment at which a lost connection is worth a try: `isOnline` says that the network came back. */
  onWake(listener: (isOnline: boolean) => void): () => void;
}

/** All of them reach the window; a worker hears the first, and other places none. */
const WAKES = ["online", "pageshow", "visibilitychange"] as const;

/** A timer that is set for longer goes off at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** The page, the worker or the process that this runs in. */
export const PAGE: Environment = {
  now: () => Date.now(), // goes on while a machine sleeps, as a monotonic clock need not
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

/** Wait; the signal ends it early, and a wake-up does unless the wait `isFirm`. */
export function pause(environment: Environment, ms: number, signal?: AbortSignal, isFirm?: boolean): Promise<void> {
  return new Promise((resolve) => {
    const stops = [environment.after(ms, wake), environment.onWake(() => isFirm || wake())];
    signal?.addEventListener("abort", wake);
    if (signal?.aborted) wake();
    function wake(): void {
      for (const stop of stops) stop();
      signal?.removeEventListener("abort", wake);
      resolve();
    }
  });
}
