/** When to show changes: once per browser frame. */

import { PAGE } from "./environment.js";

/** How long to wait for a frame that may never come: a page can be hidden at any moment, and a server has none. */
const UNPAINTED_MS = 50;

/** Calls back once before the next paint, however often it is requested until then. */
export interface Paint {
  /** Request a call, at least `throttleMs` after the previous one. */
  request(throttleMs?: number): void;
  /** Cancel the request; no timer remains. */
  cancel(): void;
}

/** Return what calls back before paints. */
export function paintWith(callback: () => void): Paint {
  const scope: Partial<typeof globalThis> = globalThis;
  let stop: (() => void) | undefined;
  let paintedMs = -Infinity;
  const cancel = (): void => {
    stop?.();
    stop = undefined;
  };
  const call = (): void => {
    cancel();
    paintedMs = performance.now();
    callback();
  };
  const paint = (): void => {
    const stopTimer = PAGE.after(UNPAINTED_MS, call);
    const frame = scope.requestAnimationFrame?.(call);
    stop = () => {
      stopTimer();
      scope.cancelAnimationFrame?.(frame as number);
    };
  };
  const request = (throttleMs = 0): void => {
    const waitMs = paintedMs + throttleMs - performance.now();
    if (stop) return;
    if (waitMs > 0) stop = PAGE.after(waitMs, paint);
    else paint();
  };
  return { request, cancel };
}
