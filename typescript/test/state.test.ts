import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import { type RunState, Tally } from "../src/core/state.js";
import { ActionError, type Progress, type RunEvent, type Text, textOf } from "../src/index.js";

type Chunk = Text | Progress | string | { type: "row"; n: number };
type Event = RunEvent<Chunk, number>;

const tallyOf = (events: readonly Event[], keep = 1000): Tally<Chunk, number, ActionError<"NO_CREDIT">> => {
  const tally = new Tally<Chunk, number, ActionError<"NO_CREDIT">>(keep, "r1");
  for (const event of events) tally.take(event);
  return tally;
};
const row = (n: number): Event => ({ seq: n, type: "chunk", data: { type: "row", n } });
const rows = (count: number): Event[] => Array.from({ length: count }, (_, n) => row(n + 1));
const problem = (code: string) => ({
  code, message: code, statusCode: 409, retryable: false, fieldErrors: null, data: null, runId: "r1", errorId: null,
});

const chunks: fc.Arbitrary<Chunk> = fc.oneof(
  fc.string(),
  fc.record({ type: fc.constant("text" as const), text: fc.string() }),
  fc.record({ type: fc.constant("row" as const), n: fc.nat() }),
  fc.nat(9).map((current): Progress => ({ type: "progress", current, total: 9, message: null, percent: null })),
);
const bodies: fc.Arbitrary<Omit<Event, "seq">> = fc.oneof(
  { weight: 9, arbitrary: chunks.map((data) => ({ type: "chunk" as const, data })) },
  { weight: 1, arbitrary: fc.record({ attempt: fc.nat(5), keep: fc.nat(60) }, { requiredKeys: ["attempt"] }).map((data) => ({ type: "restarted" as const, data })) },
);
const ends: fc.Arbitrary<Omit<Event, "seq">[]> = fc.constantFrom(
  [],
  [{ type: "done" as const, data: { result: 3 } }],
  [{ type: "error" as const, data: problem("NO_CREDIT") }],
  [{ type: "cancelled" as const, data: problem("CANCELLED") }],
);
const logs = fc
  .tuple(fc.array(bodies, { maxLength: 60 }), ends)
  .map(([body, end]) => [...body, ...end].map((event, n) => ({ ...event, seq: n + 1 }) as Event));

/** What a page that keeps at most `most` chunks shows of a log: a restart takes back what came after its `keep`. */
function shown(log: readonly Event[], most: number) {
  let counted: Event[] = [];
  let kept: Event[] = [];
  for (const event of log) {
    const stays = ({ seq }: Event): boolean => event.type !== "restarted" || seq <= (event.data.keep ?? 0);
    [counted, kept] = [counted.filter(stays), kept.filter(stays)];
    if (event.type === "chunk") {
      counted.push(event);
      kept = [...kept, event].slice(-most || Infinity);
    }
  }
  const chunks = kept.map(({ data }) => data as Chunk);
  return { chunks, dropped: counted.length - kept.length, text: counted.map(({ data }) => textOf(data)).join("") };
}

describe("a tally", () => {
  test("gives the same state however its events were cut and looked at", () => {
    const keeps = fc.constantFrom(0, 1, 2, 7, 1000, Infinity);

    fc.assert(fc.property(logs, keeps, fc.array(fc.boolean()), (log, keep, looks) => {
      const looked = new Tally<Chunk, number, ActionError<"NO_CREDIT">>(keep, "r1");
      log.forEach((event, n) => {
        looked.take(event);
        if (looks[n]) void looked.state;
      });
      expect(looked.state).toEqual(tallyOf(log, keep).state);
    }));
  });

  test("shows the newest chunks that count over any restarts, how many older ones there are, and all of their text, whatever it keeps", () => {
    fc.assert(fc.property(logs, fc.constantFrom(0, 1, 7, Infinity), (log, keep) => {
      expect(tallyOf(log, keep).state).toMatchObject(shown(log, keep));
    }));
  });

  test("shows the newest chunk and the newest progress that count, if it keeps them", () => {
    fc.assert(fc.property(logs, (log) => {
      const { chunks } = shown(log, Infinity);

      const { data, progress } = tallyOf(log, Infinity).state;

      expect([data, progress]).toEqual([chunks.at(-1), chunks.filter((chunk) => typeof chunk !== "string" && chunk.type === "progress").at(-1)]);
    }));
  });

  test("has the text up to a saved place of long ago, of which it keeps no chunk", () => {
    const tally = new Tally<string, null, never>(2);
    for (let seq = 1; seq <= 1000; seq++) tally.take({ seq, type: "chunk", data: `${seq} ` });

    tally.take({ seq: 1001, type: "restarted", data: { attempt: 2, keep: 3 } });
    tally.take({ seq: 1002, type: "chunk", data: "on" });

    expect(tally.state).toMatchObject({ text: "1 2 3 on", chunks: ["on"], dropped: 3, data: "on" });
  });

  test("gives the same object until something is taken, and the same chunks until one comes", () => {
    const tally = tallyOf(rows(3));
    const before = tally.state;

    tally.end({ status: "done", result: 3 });

    expect(tally.state).toBe(tally.state);
    expect(tally.state).not.toBe(before);
    expect(tally.state.chunks).toBe(before.chunks);
  });

  test("never changes a state that it has given", () => {
    const tally = tallyOf(rows(3), 2);
    const { state } = tally;

    for (const event of rows(10)) tally.take(event);

    expect(state.chunks).toEqual([{ type: "row", n: 2 }, { type: "row", n: 3 }]);
    expect(Object.isFrozen(state)).toBe(true);
  });

  test("takes a chunk at the same cost however many came before", () => {
    const tally = new Tally<number, null, never>(100_000);

    for (let seq = 1; seq <= 500_000; seq++) tally.take({ seq, type: "chunk", data: seq });

    // Cutting at every chunk would move 40,000,000,000 of them, which no test's time is enough for.
    expect(tally.state.chunks.length).toBe(100_000);
    expect(tally.state.dropped).toBe(400_000);
  });

  test("says where its run waits", () => {
    const tally = tallyOf([]);
    const waiting = { before: 3, expectedMs: null, notBefore: null };

    expect(tally.hear({ id: undefined, trouble: undefined, waiting })).toBe(true);
    expect(tally.state.waiting).toBe(waiting);
    expect(tally.hear({ id: undefined, trouble: undefined, waiting: undefined })).toBe(true);
    expect(tally.state.waiting).toBeUndefined();
  });

  test("keeps what was sent when it ends, and has no trouble any more", () => {
    const tally = tallyOf([row(1)]);
    tally.hear({ id: "r1", trouble: "no server", waiting: undefined });

    tally.end({ status: "error", error: new ActionError({ code: "NO_CREDIT" }) });

    expect(tally.state).toMatchObject({ status: "error", error: { code: "NO_CREDIT" }, chunks: [{ n: 1 }], trouble: undefined });
  });
});

test("a state's status narrows what it ended with", () => {
  type State = RunState<Chunk, number, ActionError<"NO_CREDIT">>;

  const { state }: { state: State } = tallyOf([]);

  if (state.status === "done") expectTypeOf(state.result).toEqualTypeOf<number>();
  else expectTypeOf(state.result).toEqualTypeOf<undefined>();
  if (state.status === "error") expectTypeOf(state.error).toEqualTypeOf<ActionError<"NO_CREDIT">>();
  else expectTypeOf(state.error).toEqualTypeOf<undefined>();
});
