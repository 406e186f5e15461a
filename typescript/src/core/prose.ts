/** Text that grows with each chunk, and can be taken back to an earlier one. */
export class Prose {
  text = "";
  /** For each chunk with text, its seq and the length of the text with it, one after the other: flat, as there can be millions. */
  readonly #ends: number[] = [];

  /** Append the text of a chunk. */
  add(seq: number, text: string): void {
    if (text) this.#ends.push(seq, (this.text += text).length);
  }

  /** Take back what was added after `seq`. */
  cut(seq: number): void {
    const ends = this.#ends;
    while ((ends.at(-2) as number) > seq) ends.length -= 2;
    this.text = this.text.slice(0, ends.at(-1) ?? 0);
  }
}
