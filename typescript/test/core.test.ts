/** The pure parts: what a log makes of its frames, what a connection makes of its time, which way a client takes. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Connection, isFinal, Lost, retryAfterMs } from "../src/core/connection.js";
import { ActionError } from "../src/core/error.js";
import type { RunEvent } from "../src/core/event.js";
import { cursorOf, frameOf, type Frame } from "../src/core/frame.js";
import { RunLog } from "../src/core/log.js";
import { Route } from "../src/core/route.js";
import { AFTER, LIVE, TERMINAL } from "../src/core/status.js";
import { valuesOf } from "../src/core/value.js";

const chunks = (count: number): RunEvent[] => Array.from({ length: count }, (_, n) => ({ seq: n + 1, type: "chunk", data: `${n + 1} ` }));
const ends: RunEvent["type"][] = ["done", "error", "cancelled"];

function logOf(id = "r1"): RunLog {
  const log = new RunLog();
  log.identify(id);
  return log;
}

describe("a log", () => {
  test("gives each event out once and in order, however often connections repeat themselves", () => {
    const connections = fc.array(fc.tuple(fc.nat(20), fc.nat(20)));
    fc.assert(
      fc.property(connections, (cuts) => {
        const events = chunks(20);
        const log = logOf();
        for (const [before, count] of cuts) {
          // A connection resumes at the log's end, or before that if something on the way repeats it.
          const start = Math.max(0, log.seq - before);
          for (const event of events.slice(start, start + count)) log.take({ kind: "event", event });
        }

        const seen = [...log.replay].map(({ seq }) => seq);
        expect(seen).toEqual(events.slice(0, seen.length).map(({ seq }) => seq));
        expect([log.cursor, log.text]).toEqual([cursorOf("r1", seen.length), events.slice(0, seen.length).map(({ data }) => data).join("")]);
      }),
    );
  });

  test("has no outcome without a terminal event, whatever else comes", () => {
    const frames: fc.Arbitrary<Frame> = fc.oneof(
      fc.nat(9).map((seq): Frame => ({ kind: "event", event: { seq, type: "chunk", data: null } })),
      fc.nat(9).map((seq): Frame => ({ kind: "event", event: { seq, type: "restarted", data: { attempt: 2 } } })),
      fc.nat(9).map((firstSeq): Frame => ({ kind: "reset", firstSeq })),
      fc.constantFrom("pending", "running", "completed", "failed", "cancelled").map((status): Frame => {
        return { kind: "opening", cursor: "r1.0", id: "r1", status: status as "running" };
      }),
    );
    fc.assert(
      fc.property(fc.array(frames), (taken) => {
        const log = logOf();

        for (const frame of taken) log.take(frame);

        expect(log.outcome).toBeUndefined();
        expect(TERMINAL).not.toContain(log.status);
      }),
    );
  });

  test.each(ends)("has an outcome, and the status of the table, with %s, and takes nothing behind it", (type) => {
    const log = logOf();

    log.take({ kind: "event", event: { seq: 1, type, data: { code: "X" } } as RunEvent });
    log.take({ kind: "event", event: { seq: 2, type: "chunk", data: "late" } });

    expect([log.status, [...log.replay].length, log.seq]).toEqual([AFTER[type], 1, 1]);
    expect(log.outcome?.error?.code).toBe(type === "done" ? undefined : "X");
  });

  test("knows where the run waits, from the newest opening or poll, as long as it does", () => {
    const log = logOf();
    const waiting = { before: 3, expectedMs: 41_000, notBefore: null };
    const opening = { id: "r1.0", type: "run", data: JSON.stringify({ id: "r1", status: "pending", waiting }) };
    const seen: unknown[] = [];

    log.take(frameOf(opening));
    seen.push([log.waiting, log.status, log.seq]);
    log.take(frameOf({ ...opening, data: JSON.stringify({ id: "r1", status: "running", waiting: null }) }));
    seen.push([log.waiting, log.status, log.seq]);
    log.takePoll({ status: "pending", firstSeq: 1, seq: 0, retryAfterMs: 500, waiting } as unknown as Parameters<RunLog["takePoll"]>[0]);
    seen.push([log.waiting, log.status, log.seq]);

    expect(seen).toEqual([[waiting, "pending", 0], [null, "running", 0], [waiting, "pending", 0]]);
  });

  test("never moves its cursor backwards for a reset", () => {
    const log = logOf();
    for (const event of chunks(7)) log.take({ kind: "event", event });

    log.take({ kind: "reset", firstSeq: 5 });

    expect([log.cursor, log.firstSeq]).toEqual(["r1.7", 5]);
  });

  test("is told by a poll that the log was trimmed", () => {
    const log = logOf();
    const snapshot = { status: "running", firstSeq: 8, retryAfterMs: 500, events: chunks(9).slice(7) } as unknown as Parameters<RunLog["takePoll"]>[0];

    log.takePoll(snapshot);

    expect([[...log.replay].map(({ seq }) => seq), log.firstSeq, log.cursor]).toEqual([[8, 9], 8, "r1.9"]);
  });
});

describe("a connection", () => {
  const lost = new Lost("gone");

  function opened(nowMs = 0): Connection {
    const connection = new Connection(Number.POSITIVE_INFINITY);
    connection.begin(nowMs);
    return connection;
  }

  test("waits longer with each failure, between half of the bound and the bound", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 30 }), (chances) => {
        const connection = opened();

        chances.forEach((chance, failures) => {
          connection.begin(0);
          const bound = Math.min(500 * 2 ** failures, 15_000);
          const waitMs = connection.lost(0, lost, chance) ?? Number.NaN;

          expect(waitMs).toBeGreaterThanOrEqual(bound / 2);
          expect(waitMs).toBeLessThanOrEqual(bound);
        });
      }),
    );
  });

  test("starts its back-off over when it lived for a while, or longer than it was waited for", () => {
    const connection = opened();
    const waitsMs = [0, 0, 1_001, 501, 0, 0, 0, 0, 5_001].map((livedMs) => {
      connection.begin(0);
      connection.heard(0);
      return connection.lost(livedMs, lost, 1);
    });

    expect(waitsMs).toEqual([500, 1000, 500, 500, 1000, 2000, 4000, 8000, 500]);
  });

  test("is in trouble once it has been gone for a second, or when the server sets the wait", () => {
    const [connection, told] = [opened(), opened()];
    const troubles = [0, 999, 1_000].map((nowMs) => {
      connection.lost(nowMs, lost, 1);
      return connection.trouble;
    });
    told.lost(0, new Lost("busy", 100), 1);
    connection.heard(1_001);

    expect(troubles).toEqual([undefined, undefined, lost.message]);
    expect([told.trouble, connection.trouble]).toEqual(["busy", undefined]);
  });

  test("that fails the check of its silence has been gone since its last byte", () => {
    const connection = opened();
    connection.heard(1_000);

    connection.failed();
    connection.lost(5_000, lost, 1);

    expect(connection.trouble).toBe(lost.message);
  });

  test("does not restart its back-off for a head alone", () => {
    const connection = opened();
    const waitsMs = [1, 2, 3].map(() => {
      connection.begin(0);
      connection.heard(0);
      return connection.lost(0, lost, 1);
    });

    expect(waitsMs).toEqual([500, 1000, 2000]);
  });

  test("waits as long as a server asks, and an hour at most", () => {
    expect([opened().lost(0, new Lost("busy", 70_000), 1), opened().lost(0, new Lost("busy", 1e9), 1)]).toEqual([70_000, 3_600_000]);
  });

  test("is silent since the last byte, not since its beginning", () => {
    const connection = opened(0);

    connection.heard(30_000);

    expect([connection.silentMs(30_000), connection.silentMs(75_000)]).toEqual([0, 45_000]);
  });

  test("gives up when the server was away for the time that was set, and not before", () => {
    const connection = new Connection(10_000);
    connection.begin(0);

    expect([connection.lost(1_000, lost, 1), connection.lost(10_999, lost, 1), connection.lost(11_000, lost, 1)]).toEqual([500, 1000, undefined]);
  });
});

describe("an answer", () => {
  test.each([408, 425, 429, 502, 503, 504])("of %d passes", (status) => {
    expect(isFinal(status, new ActionError({ statusCode: status }), false)).toBe(false);
  });

  test.each([400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 422, 500, 501, 505])("of %d is final", (status) => {
    expect(isFinal(status, new ActionError({ statusCode: status }), false)).toBe(true);
  });

  test("of 500 passes where the error says that repeating is worth it", () => {
    expect(isFinal(500, new ActionError({ retryable: true }), false)).toBe(false);
  });

  test("that is the started run's own end is final whatever its status", () => {
    expect(isFinal(503, new ActionError({ runId: "r1" }), true)).toBe(true);
    expect(isFinal(503, new ActionError({ runId: "r1" }), false)).toBe(false);
  });

  test.each([
    [null, 0],
    ["7", 7_000],
    ["0", 0],
    ["Thu, 01 Jan 1970 00:00:09 GMT", 8_000],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
    ["soon", 0],
  ])("with Retry-After %s is waited for %d ms", (value, ms) => {
    expect(retryAfterMs(value, 1_000)).toBe(ms);
  });
});

describe("the way of the events", () => {
  test("is a stream until polls bring what it does not, and again after a while", () => {
    const route = new Route();
    const before = route.choose(0, false);

    route.buffered(0);

    expect([before, route.choose(1, false), route.choose(119_999, false), route.choose(120_000, false)]).toEqual(["stream", "held", "held", "stream"]);
  });

  test("is polls at a pace where held ones are cut off too", () => {
    const route = new Route();
    route.buffered(0);

    route.cutOff(0);

    expect(route.choose(1, false)).toBe("paced");
  });

  test("holds no connection where none is to spare", () => {
    expect(new Route().choose(0, true)).toBe("paced");
  });

  test("is a stream again when the network is another", () => {
    const route = new Route();
    route.buffered(0);
    route.cutOff(0);

    route.renew();

    expect(route.choose(1, false)).toBe("stream");
  });
});

describe("a streamable value", () => {
  test.each([
    [undefined, { type: "value", value: 1 }, 1],
    [undefined, { type: "append", text: "a" }, "a"],
    ["a", { type: "append", text: "b" }, "ab"],
    ["a", { type: "value", value: null }, null],
    [7, { type: "append", text: "a" }, "a"],
  ])("of %j is after %j %j", (value, chunk, next) => {
    expect(valuesOf<unknown>(value, chunk)).toEqual([next]);
  });

  test("stays as it was after a chunk of another kind", () => {
    expect(valuesOf<unknown>("a", { type: "text", text: "b" })).toEqual([]);
  });
});

describe("the table of a run's life", () => {
  test("leads to a live or a terminal status by every event, and to each terminal one by one", () => {
    const reached = Object.values(AFTER);

    expect(new Set(reached.filter((status) => !LIVE.includes(status)))).toEqual(new Set(TERMINAL));
    expect(TERMINAL.filter((status) => LIVE.includes(status))).toEqual([]);
  });
});
