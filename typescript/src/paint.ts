/** When to show changes: once per browser frame. */

import { PAGE } from "./environment.js";

/** The time between frames if nothing renders: a hidden page, a server, a test. */
const PICTURE_MS = 16;

/** Calls back once before the next paint, however often it is requested until then. */
export class Paint {
  readonly #callback: () => void;
  #cancel: (() => void) | undefined;
  #isPatient = false;
  #paintedAtMs = -Infinity;

  constructor(callback: () => void) {
    this.#callback = callback;
  }

  /** Request a call, at least `throttleMs` after the previous one. A more urgent request brings a waiting one forward. */
  request(throttleMs: number): void {
    const waitMs = this.#paintedAtMs + throttleMs - performance.now();
    if (this.#cancel && !(this.#isPatient && waitMs <= 0)) return;
    this.cancel();
    this.#isPatient = waitMs > 0;
    this.#cancel = this.#isPatient ? after(waitMs, () => this.#await()) : beforePaint(() => this.#call());
  }

  /** Cancel the request; no timer remains. */
  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #await(): void {
    this.#isPatient = false;
    this.#cancel = beforePaint(() => this.#call());
  }

  #call(): void {
    this.#cancel = undefined;
    this.#paintedAtMs = performance.now();
    this.#callback();
  }
}

const { after } = PAGE;

/** A hidden page is never painted and gets no animation frames, and a server has none. */
function beforePaint(callback: () => void): () => void {
  if (typeof requestAnimationFrame !== "function" || isHidden()) return after(PICTURE_MS, callback);
  const page = typeof document === "undefined" ? undefined : document;
  let cancelTimer: (() => void) | undefined;
  const end = (): void => {
    cancelAnimationFrame(frame);
    cancelTimer?.();
    page?.removeEventListener("visibilitychange", hide);
  };
  const call = (): void => {
    end();
    callback();
  };
  const hide = (): void => {
    if (isHidden()) cancelTimer ??= after(PICTURE_MS, call);
  };
  const frame = requestAnimationFrame(call);
  page?.addEventListener("visibilitychange", hide);
  return end;
}

function isHidden(): boolean {
  return typeof document !== "undefined" && document.visibilityState === "hidden";
}
