/** How many streams are open. Over HTTP/1.1 a browser has six connections to an origin, and the seventh request of any kind waits. */

/** Two of six stay free, for polls and for what else the page asks. */
const LIMIT = 4;

const open = new Map<string, number>();

/** The streams of this page to one origin, whichever client opened them. */
export class Streams {
  readonly #origin: string;
  readonly #limit: number | undefined;

  constructor(origin: string, limit: number | undefined) {
    this.#origin = origin;
    this.#limit = limit;
  }

  /** Whether there is no room for another. */
  get isCrowded(): boolean {
    const count = open.get(this.#origin) ?? 0;
    return count >= (this.#limit ?? (isLimited(this.#origin) ? LIMIT : Number.POSITIVE_INFINITY));
  }

  /** Note that one opens; returns what notes that it is closed. */
  take(): () => void {
    this.#add(1);
    return () => this.#add(-1);
  }

  #add(difference: number): void {
    open.set(this.#origin, (open.get(this.#origin) ?? 0) + difference);
  }
}

/** Whether this is a browser that speaks HTTP/1.1 to the origin, as far as it tells. */
function isLimited(origin: string): boolean {
  if (typeof location === "undefined") return false;
  const entries = performance.getEntries() as PerformanceResourceTiming[];
  return !entries.some(({ name, nextHopProtocol }) => name.startsWith(`${origin}/`) && /^h[23]/.test(nextHopProtocol));
}
