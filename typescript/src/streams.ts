/** How many connections are held open. Over HTTP/1.1 a browser has six to an origin, for all tabs together, and the seventh request of any kind waits. */

/** Two of six stay free, for polls and for what else the pages ask. */
const LIMIT = 4;

/** The places that this page has taken. */
const taken = new Set<string>();

/** The streams to one origin: of all tabs where the browser has Web Locks, of this page elsewhere. */
export class Streams {
  readonly #origin: string;
  readonly #limit: number | undefined;

  constructor(origin: string, limit: number | undefined) {
    this.#origin = origin;
    this.#limit = limit;
  }

  /** Take a place for one more; resolves with what gives it back, or with nothing where there is none. */
  async take(): Promise<(() => void) | undefined> {
    const limit = this.#limit ?? (isLimited(this.#origin) ? LIMIT : Number.POSITIVE_INFINITY);
    if (limit === Number.POSITIVE_INFINITY) return () => undefined;
    for (let number = 0; number < limit; number++) {
      const place = `yieldwire ${this.#origin} ${number}`;
      if (taken.has(place)) continue;
      taken.add(place);
      const unlock = await lock(place);
      const release = (): void => {
        taken.delete(place);
        unlock?.();
      };
      if (unlock) return release;
      release();
    }
    return undefined;
  }
}

/** Keep other tabs from a place; resolves with nothing where one of them has it. The browser gives back what a closed tab had. */
function lock(place: string): Promise<(() => void) | undefined> {
  return new Promise((resolve) => {
    const alone = (): void => resolve(() => undefined); // a page that must not lock counts for itself
    if (typeof navigator === "undefined" || !navigator.locks) return alone();
    const hold = (isFree: unknown): Promise<void> | void => (isFree ? new Promise((unlock) => resolve(unlock)) : resolve(undefined));
    navigator.locks.request(place, { ifAvailable: true }, hold).catch(alone);
  });
}

/** Whether this is a browser that speaks HTTP/1.1 to the origin, as far as it tells. */
function isLimited(origin: string): boolean {
  if (typeof location === "undefined") return false;
  const entries = performance.getEntries() as PerformanceResourceTiming[];
  return !entries.some(({ name, nextHopProtocol }) => name.startsWith(`${origin}/`) && /^h[23]/.test(nextHopProtocol));
}
