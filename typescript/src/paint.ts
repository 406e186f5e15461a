/** When to show changes: once per browser frame. */

import { PAGE } from "./environment.js";

/** How long to wait for a frame that may never come, as in a hidden page, on a server or in a test. */
const UNPAINTED_MS = 50;

/** Calls back once before the next paint, however often it is requested until then. */
export class Paint {
  readonly #callback: () => void;
  #cancel: (() => void) | undefined;
  #paintedMs = -Infinity;
  /** The earliest time of the requested call. */
  #dueMs = Infinity;

  constructor(callback: () => void) {
    this.#callback = callback;
  }

  /** Request a call, at least `throttleMs` after the previous one. A more urgent request brings a waiting one forward. */
  request(throttleMs: number): void {
    const dueMs = this.#paintedMs + throttleMs;
    if (this.#dueMs <= dueMs) return;
    this.cancel();
    this.#dueMs = dueMs;
    const waitMs = dueMs - performance.now();
    const paint = (): void => void (this.#cancel = beforePaint(() => this.#call()));
    if (waitMs > 0) this.#cancel = PAGE.after(waitMs, paint);
    else paint();
  }

  /** Cancel the request; no timer remains. */
  cancel(): void {
    this.#cancel?.();
    this.#dueMs = Infinity;
  }

  #call(): void {
    this.#dueMs = Infinity;
    this.#paintedMs = performance.now();
    this.#callback();
  }
}

/** Call back before the next frame. A page that is hidden meanwhile has none, so a timer is set too. */
function beforePaint(callback: () => void): () => void {
  const scope: Partial<typeof globalThis> = globalThis;
  const cancelTimer = PAGE.after(UNPAINTED_MS, call);
  const frame = scope.requestAnimationFrame?.(call);
  function cancel(): void {
    cancelTimer();
    scope.cancelAnimationFrame?.(frame as number);
  }
  function call(): void {
    cancel();
    callback();
  }
  return cancel;
}
