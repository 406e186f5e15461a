/** The times of a run's events, as the developer page knows them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startOf, Times } from "../../src/yieldwire/devtools/static/times.js";

const START = "2026-01-01T00:00:00.000+00:00";
const START_MS = Date.parse(START);
const arrived = (first, last) => Array.from({ length: last - first + 1 }, (_, at) => ({ seq: first + at }));

/** A server whose log has `size` events, one in 100 ms, in pages of `most`. */
const server = (size, most) => ({
    asked: [],
    size,
    load(after) {
        this.asked.push(Number(after));
        const last = Math.min(this.size, Number(after) + most);
        const events = arrived(Number(after) + 1, last).map(({ seq }) => ({ seq, atMs: START_MS + 100 * seq }));
        return Promise.resolve({ attempt: 1, createdAt: START, startedAt: START, seq: this.size, cursor: `${last}`, events });
    },
});

/** Times of a run, with what was counted. */
function timesOf(load, { isOwn = false, nowMs = START_MS } = {}) {
    const counted = [];
    const times = new Times({ load, count: (count, atMs) => counted.push([count, atMs]), isOwn, nowMs });
    return { times, counted };
}

test("what arrives live has the time when it arrived", () => {
    const { times, counted } = timesOf(() => assert.fail("nothing is fetched"), { isOwn: true, nowMs: 5_000 });

    times.add(arrived(1, 2), 5_500);
    times.add(arrived(3, 3), 6_000);

    assert.deepEqual([1, 2, 3, 4].map((seq) => times.of(seq)), [500, 500, 1_000, undefined]);
    assert.deepEqual(counted, [[2, 500], [1, 1_000]]);
});

test("what was in the log before has the server's times, page by page", async () => {
    const log = server(10, 4);
    const { times, counted } = timesOf((after) => log.load(after), { nowMs: START_MS + 60_000 });

    const fetched = times.fetch(0);
    times.add(arrived(1, 10), START_MS + 60_010);
    assert.equal(times.of(1), undefined);
    await fetched;

    assert.deepEqual(arrived(1, 10).map(({ seq }) => times.of(seq)), [100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000]);
    assert.deepEqual(log.asked, [0, 4, 8]);
    assert.equal(counted.length, 10);
});

test("what follows is live, however long the fetch takes", async () => {
    const log = server(5, 5);
    const { times } = timesOf(async (after) => {
        const page = await log.load(after);
        times.add(arrived(1, 6), START_MS + 1_234); // an event more than the page knows
        return page;
    });

    await times.fetch(0);
    times.add(arrived(7, 7), START_MS + 2_000);

    assert.deepEqual([5, 6, 7].map((seq) => times.of(seq)), [500, 1_234, 2_000]);
    assert.deepEqual(log.asked, [0]);
});

test("events that arrive after their times are counted once", async () => {
    const log = server(5, 5);
    const { times, counted } = timesOf((after) => log.load(after));

    await times.fetch(0);
    times.add(arrived(1, 5), START_MS + 9_000);

    assert.equal(times.of(5), 500);
    assert.equal(counted.length, 5);
});

test("after a resume only what was missed is fetched", async () => {
    const log = server(8, 100);
    const { times } = timesOf((after) => log.load(after), { isOwn: true, nowMs: 1_000 });
    times.add(arrived(1, 3), 1_250);

    const fetched = times.fetch(3);
    times.add(arrived(4, 8), 9_000);
    await fetched;
    times.add(arrived(9, 9), 9_500);

    assert.deepEqual([3, 4, 8, 9].map((seq) => times.of(seq)), [250, 400, 800, 8_500]);
    assert.deepEqual(log.asked, [3]);
});

test("where the server cannot be asked, events have the time when they arrived", async () => {
    const { times, counted } = timesOf(() => Promise.reject(new Error("away")), { nowMs: 1_000 });

    const fetched = times.fetch(0);
    times.add(arrived(1, 3), 1_500);
    await fetched;

    assert.equal(times.of(3), 500);
    assert.deepEqual(counted, [[3, 500]]);
});

test("a long log keeps the newest times and counts every event once", async () => {
    const log = server(300_000, 50_000);
    const { times, counted } = timesOf((after) => log.load(after));

    await times.fetch(0);
    times.add(arrived(1, 300_000), START_MS);

    assert.equal(times.of(1), undefined);
    assert.equal(times.of(300_000), 30_000_000);
    assert.equal(counted.length, 300_000);
});

test("a run that was restarted began when it was created", () => {
    const times = { createdAt: "2026-01-01T00:00:01Z", startedAt: "2026-01-01T00:00:05Z" };

    assert.equal(startOf({ ...times, attempt: 1 }), Date.parse(times.startedAt));
    assert.equal(startOf({ ...times, attempt: 2 }), Date.parse(times.createdAt));
    assert.equal(startOf({ ...times, attempt: 0, startedAt: null }), Date.parse(times.createdAt));
});

test("the times of a run of this page are the server's when it has ended", async () => {
    const log = server(3, 2);
    const { times, counted } = timesOf((after) => log.load(after), { isOwn: true, nowMs: START_MS - 500 });
    times.add(arrived(1, 3), START_MS + 900);
    let counts = 0;

    await times.settle(() => (counts = counted.length));

    assert.deepEqual([1, 2, 3].map((seq) => times.of(seq)), [100, 200, 300]);
    assert.deepEqual(counted.slice(counts), [[1, 100], [1, 200], [1, 300]]);
});

test("the page's times stay where the server cannot be read", async () => {
    const { times, counted } = timesOf(() => Promise.reject(new Error("away")), { isOwn: true, nowMs: 5_000 });
    times.add(arrived(1, 1), 5_500);

    await times.settle(() => assert.fail("nothing is counted again"));

    assert.deepEqual([times.of(1), counted], [500, [[1, 500]]]);
});
