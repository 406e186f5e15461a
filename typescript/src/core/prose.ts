/** A part of a text. */
interface Page {
  text: string;
  /** For each chunk with text, its seq and the length of the page with it, one after the other: flat, as there can be millions. */
  readonly ends: number[];
}

/** Text that grows with each chunk, and can be taken back to an earlier one. */
export class Prose {
  readonly #limit: number;
  /** The older part is kept apart so that dropping it copies nothing. */
  #older: Page = { text: "", ends: [] };
  #newer: Page = { text: "", ends: [] };

  /** Text is dropped in pieces of `limit` characters, and at least as much is kept. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get text(): string {
    return this.#older.text + this.#newer.text;
  }

  /** Append the text of a chunk. */
  add(seq: number, text: string): void {
    if (!text) return;
    const page = this.#newer;
    page.ends.push(seq, (page.text += text).length);
    if (page.text.length <= this.#limit) return;
    this.#older = page;
    this.#newer = { text: "", ends: [] };
  }

  /** Take back what was added after `seq`. */
  cut(seq: number): void {
    for (const page of [this.#older, this.#newer]) {
      const { ends } = page;
      while ((ends.at(-2) as number) > seq) ends.length -= 2;
      page.text = page.text.slice(0, ends.at(-1) ?? 0);
    }
  }
}
