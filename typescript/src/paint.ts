/** When to show what has changed: once for each picture that the browser paints. */

import { PAGE } from "./environment.js";

/** The time of one picture where nothing paints: a hidden page, a server, a test. */
const PICTURE_MS = 16;

/** Calls back before the next paint, however often it is asked to until then. */
export class Paint {
  readonly #callback: () => void;
  #cancel: (() => void) | undefined;
  #isPatient = false;
  #paintedAtMs = -Infinity;

  constructor(callback: () => void) {
    this.#callback = callback;
  }

  /** Ask for a call, at least `throttleMs` after the one before. A request that is less patient hurries one that waits. */
  request(throttleMs: number): void {
    const waitMs = this.#paintedAtMs + throttleMs - performance.now();
    if (this.#cancel && !(this.#isPatient && waitMs <= 0)) return;
    this.cancel();
    this.#isPatient = waitMs > 0;
    this.#cancel = this.#isPatient ? after(waitMs, () => this.#await()) : beforePaint(() => this.#call());
  }

  /** Forget the request; no timer stays. */
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

/** A hidden page is never painted and asks for no frames, and a server has none to ask for. */
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
