import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import { type RunState, Tally } from "../src/core/state.js";
import { ActionError, type Progress, type RunEvent, type Text } from "../src/index.js";

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
  { weight: 1, arbitrary: fc.nat(5).map((attempt) => ({ type: "restarted" as const, data: { attempt } })) },
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

  test("shows the newest chunks of the newest attempt, whatever it keeps", () => {
    fc.assert(fc.property(logs, fc.constantFrom(0, 1, 7, Infinity), (log, keep) => {
      const newest = log.slice(log.map((event) => event.type).lastIndexOf("restarted") + 1);
      const all = newest.filter((event) => event.type === "chunk").map((event) => event.data as Chunk);

      const { state } = tallyOf(log, keep);

      expect(state.chunks).toEqual(all.slice(Math.max(0, all.length - keep)));
      expect(state.dropped + state.chunks.length).toBe(all.length);
      expect(state.data).toEqual(all.at(-1));
    }));
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

  test("keeps what was sent when it ends, and has no trouble any more", () => {
    const tally = tallyOf([row(1)]);
    tally.hear({ id: "r1", trouble: "no server" });

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
