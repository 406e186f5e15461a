/** A signal that there is more to read, or that the end is reached; failures throw at the waiting reader. */
export class Changes {
  hasEnded = false;
  #failure: Error | undefined;
  #isNew = false;
  #wake: (() => void) | undefined;

  note(): void {
    this.#isNew = true;
    this.#wake?.();
  }

  end(failure?: Error): void {
    this.hasEnded = true;
    this.#failure ??= failure;
    this.note();
  }

  async next(): Promise<void> {
    if (!this.#isNew) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#isNew = false;
    this.check();
  }

  /** Throws the failure, if there was one. */
  check(): void {
    if (this.#failure) throw this.#failure;
  }
}
