/** A page whose time passes when nothing else happens, and which wakes up when a test says so. */

import { type Environment, PAGE } from "../../src/environment.js";

/** A page whose time runs twenty times as fast, against servers whose time does not. */
export const HURRIED: Environment = {
  ...PAGE,
  now: () => Date.now() * 20,
  after: (ms, callback) => PAGE.after(ms / 20, callback),
};

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** Turns of the event loop in which nothing has to happen before time passes. */
const QUIET_TURNS = 5;

/** An environment that sleeps through every wait and remembers how long they were. */
export class VirtualPage implements Environment {
  /** How long each wait was that came to its end. */
  readonly waitsMs: number[] = [];
  #nowMs = 1_000_000;
  #isPassing = false;
  readonly #timers = new Set<Timer>();
  readonly #listeners = new Set<(isOnline: boolean) => void>();

  now(): number {
    return this.#nowMs;
  }

  chance(): number {
    return 1;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { dueMs: this.#nowMs + ms, callback: () => void (this.waitsMs.push(ms), callback()) };
    this.#timers.add(timer);
    if (!this.#isPassing) void this.#pass();
    return () => this.#timers.delete(timer);
  }

  onWake(listener: (isOnline: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Sleep, and wake up. */
  wake({ afterMs = 0, isOnline = false }: { afterMs?: number; isOnline?: boolean } = {}): void {
    this.#nowMs += afterMs;
    for (const listener of [...this.#listeners]) listener(isOnline);
  }

  /** Whether anybody still listens for a wake-up, or waits for a time. */
  get isForgotten(): boolean {
    return this.#listeners.size === 0 && this.#timers.size === 0;
  }

  async #pass(): Promise<void> {
    this.#isPassing = true;
    while (this.#timers.size) {
      for (let turn = 0; turn < QUIET_TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
      const [next] = [...this.#timers].sort((one, other) => one.dueMs - other.dueMs);
      if (!next) continue;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.callback();
    }
    this.#isPassing = false;
  }
}
