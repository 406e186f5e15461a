/** SHA-256 (FIPS 180-4) of content that arrives in pieces, which no browser offers. */

const BLOCK = 64;
const primes = [...firstPrimes(64)];
const INITIAL = primes.slice(0, 8).map((prime) => fractionOf(Math.sqrt(prime)));
const ROUNDS = Int32Array.from(primes, (prime) => fractionOf(Math.cbrt(prime)));

function* firstPrimes(count: number): Generator<number> {
  for (let found = 0, each = 2; found < count; each++) {
    if (Array.from({ length: each - 2 }, (_, n) => each % (n + 2)).includes(0)) continue;
    found++;
    yield each;
  }
}

/** The first 32 bits of a number's fraction. */
function fractionOf(value: number): number {
  return ((value % 1) * 2 ** 32) | 0;
}

function rotated(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

/** A hash that grows with each piece of the content. */
export class SHA256 {
  readonly #state = Int32Array.from(INITIAL);
  readonly #words = new Int32Array(BLOCK);
  readonly #rest = new Uint8Array(BLOCK);
  #size = 0;

  /** Add a piece. */
  update(piece: Uint8Array): void {
    let at = 0;
    const held = this.#size % BLOCK;
    this.#size += piece.length;
    if (held) {
      at = Math.min(BLOCK - held, piece.length);
      this.#rest.set(piece.subarray(0, at), held);
      if (held + at < BLOCK) return;
      this.#take(this.#rest, 0);
    }
    for (; at + BLOCK <= piece.length; at += BLOCK) this.#take(piece, at);
    this.#rest.set(piece.subarray(at));
  }

  /** The hash as hexadecimal digits. Nothing can be added after that. */
  digest(): string {
    const size = this.#size;
    const padding = new Uint8Array(BLOCK - ((size + 8) % BLOCK) + 8);
    padding[0] = 0x80;
    const end = new DataView(padding.buffer);
    end.setUint32(padding.length - 8, Math.floor(size / 2 ** 29));
    end.setUint32(padding.length - 4, (size * 8) >>> 0);
    this.update(padding);
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  #take(bytes: Uint8Array, at: number): void {
    const words = this.#words;
    const of = (list: Int32Array, index: number): number => list[index] as number;
    for (let n = 0, from = at; n < 16; n++, from += 4) {
      words[n] = ((bytes[from] as number) << 24) | ((bytes[from + 1] as number) << 16) | ((bytes[from + 2] as number) << 8) | (bytes[from + 3] as number);
    }
    for (let n = 16; n < BLOCK; n++) {
      const [x, y] = [of(words, n - 15), of(words, n - 2)];
      const low = rotated(x, 7) ^ rotated(x, 18) ^ (x >>> 3);
      const high = rotated(y, 17) ^ rotated(y, 19) ^ (y >>> 10);
      words[n] = (of(words, n - 16) + low + of(words, n - 7) + high) | 0;
    }
    let [a, b, c, d, e, f, g, h] = this.#state as unknown as [number, number, number, number, number, number, number, number];
    for (let n = 0; n < BLOCK; n++) {
      const one = (h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g)) + of(ROUNDS, n) + of(words, n)) | 0;
      const two = ((rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, n) => (this.#state[n] = (of(this.#state, n) + word) | 0));
  }
}
