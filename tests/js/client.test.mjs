/** What a run promises to a page, against a scripted server. Waiting is an argument: no test sleeps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ActionError, createClient } from "../../src/yieldwire/asgi/static/client.js";

const OPENING = 'id: r1.0\nevent: run\ndata: {"id":"r1","action":"count","status":"running"}\n\n';
const chunk = (seq, data) => `id: r1.${seq}\ndata: ${JSON.stringify(data)}\n\n`;
const end = (seq, type, data) => `id: r1.${seq}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
const stream =
    (...pieces) =>
    () =>
        streamOf(pieces, (controller) => controller.close());
const broken =
    (...pieces) =>
    () =>
        streamOf(pieces, (controller) => controller.error(new TypeError("network error")));
const json =
    (status, body, headers = {}) =>
    () =>
        Response.json(body, { status, headers });
const refusal = (status, error, headers) => json(status, { error: { message: "No.", ...error } }, headers);

function streamOf(pieces, finish) {
    const left = [...pieces];
    const body = new ReadableStream({
        pull(controller) {
            if (left.length) controller.enqueue(new TextEncoder().encode(left.shift()));
            else finish(controller);
        },
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream; charset=utf-8", "Run-Id": "r1" } });
}

/** A server that gives the scripted answers in order, and remembers requests and waits. */
function serve(...answers) {
    const requests = [];
    const waits = [];
    const fetch = async (url, init) => {
        requests.push({ path: url.replace("http://test/api/", ""), ...init });
        assert.ok(answers.length, `unexpected request: ${init.method} ${url}`);
        return answers.shift()(init);
    };
    const wait = async (ms) => void waits.push(ms);
    return { requests, waits, actions: createClient({ url: "http://test/api", fetch, wait }) };
}

async function all(iterable) {
    const found = [];
    for await (const one of iterable) found.push(one);
    return found;
}

test("a call posts its input as JSON under the name it was called by", async () => {
    const { actions, requests } = serve(stream(OPENING, end(1, "done", { result: 3 })));

    const result = await actions.importContacts({ n: 3 }).result();

    assert.equal(result, 3);
    assert.deepEqual([requests[0].method, requests[0].path, requests[0].body], ["POST", "importContacts", '{"n":3}']);
    assert.equal(requests[0].headers.get("Content-Type"), "application/json");
    assert.ok(requests[0].headers.get("Idempotency-Key").length >= 22);
});

test("a file makes the body multipart, scalars text, lists repeated fields and objects JSON", async () => {
    const { actions, requests } = serve(stream(OPENING, end(1, "done", {})));
    const file = new File(["a"], "a.csv");

    await actions.load({ file, more: [file, file], n: 3, tags: ["a", "b"], deep: { x: [1] }, none: null }).result();

    const entries = [...requests[0].body.entries()].map(([name, value]) => [name, value.name ?? value]);
    assert.deepEqual(entries, [
        ["file", "a.csv"],
        ["more", "a.csv"],
        ["more", "a.csv"],
        ["n", "3"],
        ["tags", "a"],
        ["tags", "b"],
        ["deep", '{"x":[1]}'],
    ]);
    assert.equal(requests[0].headers.get("Content-Type"), null);
});

test("a list in a form is never mistaken for something else", async () => {
    const { actions, requests } = serve(stream(OPENING, end(1, "done", {})));
    const file = new File(["a"], "a.csv");

    await actions.load({ file, none: [], one: ["a"], json: ["[a"], deep: [{ x: 1 }], holes: [null, "a"] }).result();

    const texts = [...requests[0].body.entries()].slice(1);
    assert.deepEqual(texts, [
        ["none", "[]"],
        ["one", "a"],
        ["json", '["[a"]'],
        ["deep", '[{"x":1}]'],
        ["holes", '[null,"a"]'],
    ]);
});

test("a run is an iterable of its chunks and gathers text and progress", async () => {
    const bar = { type: "progress", current: 1, total: 2 };
    const { actions } = serve(
        stream(
            OPENING,
            chunk(1, { type: "text", text: "He" }) + chunk(2, bar),
            chunk(3, { type: "text", text: "y" }),
            end(4, "done", {}),
        ),
    );

    const run = actions.count();
    const chunks = await all(run);

    assert.deepEqual(
        [chunks.length, run.text, run.progress, run.status, run.cursor],
        [3, "Hey", bar, "completed", "r1.4"],
    );
});

test("every iterator sees every event, also one made after the end", async () => {
    const { actions } = serve(stream(OPENING, chunk(1, "a"), end(2, "done", {})));

    const run = actions.count();
    const [first, second] = await Promise.all([all(run.events()), all(run.events())]);

    assert.deepEqual(first, second);
    assert.deepEqual(await all(run.events()), first);
    assert.deepEqual(
        first.map((event) => event.type),
        ["chunk", "done"],
    );
});

test("an end of the body without a terminal event is resumed after the last whole frame", async () => {
    const cut = chunk(2, "b").slice(0, -1);
    const { actions, requests } = serve(stream(OPENING, chunk(1, "a"), cut), stream(chunk(2, "b"), end(3, "done", {})));

    const chunks = await all(actions.count());

    assert.deepEqual(chunks, ["a", "b"]);
    assert.deepEqual([requests[1].method, requests[1].path], ["GET", "runs/r1/events"]);
    assert.equal(requests[1].headers.get("Last-Event-ID"), "r1.1");
});

test("a broken connection is resumed, also before the first chunk", async () => {
    const { actions, requests } = serve(broken(), stream(chunk(1, "a")), broken(), stream(end(2, "done", {})));

    assert.deepEqual(await all(actions.count()), ["a"]);
    assert.deepEqual(
        requests.slice(1).map((request) => request.headers.get("Last-Event-ID")),
        ["r1.0", "r1.1", "r1.1"],
    );
});

test("a start whose answer was lost is repeated with the same key", async () => {
    const lost = () => Promise.reject(new TypeError("Failed to fetch"));
    const { actions, requests } = serve(lost, lost, stream(OPENING, end(1, "done", {})));

    await actions.count().result();

    assert.equal(new Set(requests.map((request) => request.headers.get("Idempotency-Key"))).size, 1);
});

test("statuses that pass are repeated, with growing and bounded waits", async () => {
    const passing = [408, 425, 429, 502, 503, 504, 502, 502, 502].map((status) => json(status, {}));
    const { actions, waits } = serve(
        ...passing,
        refusal(500, { code: "X", retryable: true }),
        stream(OPENING, end(1, "done", {})),
    );

    await actions.count().result();

    assert.equal(waits.length, 10);
    assert.ok(waits[0] <= 500 && waits[4] >= 4000 && waits.every((ms) => ms <= 15_000), String(waits));
});

test("Retry-After and the retry field are waited for", async () => {
    const { actions, waits } = serve(
        json(503, {}, { "Retry-After": "7" }),
        stream(OPENING, chunk(1, "a"), "retry: 2000\n\n"),
        stream(end(2, "done", {})),
    );

    await actions.count().result();

    assert.equal(waits[0], 7000);
    assert.ok(waits[1] >= 1000 && waits[1] <= 2000, String(waits));
});

for (const status of [400, 401, 403, 404, 409, 410, 413, 415, 422, 500]) {
    test(`${status} is a final answer and reaches the caller typed`, async () => {
        const fieldErrors = { n: ["Too small."] };
        const { actions } = serve(
            refusal(status, { code: "SOME_CODE", retryable: false, fieldErrors, data: { a: 1 }, errorId: "e1" }),
        );
        const run = actions.count({ n: 0 });

        await assert.rejects(run.result(), (error) => {
            assert.ok(error instanceof ActionError);
            assert.deepEqual(
                [error.code, error.statusCode, error.message, error.errorId],
                ["SOME_CODE", status, "No.", "e1"],
            );
            assert.deepEqual([error.fieldErrors, error.data], [fieldErrors, { a: 1 }]);
            return true;
        });
        await assert.rejects(all(run), { code: "SOME_CODE" });
        assert.deepEqual([run.status, run.connection], ["failed", "closed"]);
    });
}

test("a passing status that is a started run's own end is not repeated", async () => {
    const { actions, requests } = serve(refusal(504, { code: "TIMEOUT", runId: "r1" }));
    const run = actions.count();

    await assert.rejects(run.result(), { code: "TIMEOUT" });
    assert.deepEqual([requests.length, run.id, run.status], [1, "r1", "failed"]);
});

test("a refusal while resuming ends the reading and leaves the run's status alone", async () => {
    const { actions } = serve(stream(OPENING, chunk(1, "a")), refusal(403, { code: "FORBIDDEN" }));
    const run = actions.count();

    await assert.rejects(all(run.events()), { code: "FORBIDDEN" });
    assert.deepEqual([run.status, run.connection, run.error.code], ["running", "closed", "FORBIDDEN"]);
});

test("the action's error is the last event, and thrown after the chunks", async () => {
    const error = {
        code: "OUT_OF_CREDIT",
        message: "No credit.",
        statusCode: 402,
        retryable: false,
        data: { left: 0 },
    };
    const { actions } = serve(stream(OPENING, chunk(1, "a"), end(2, "error", error)));
    const run = actions.count();
    const seen = [];

    await assert.rejects(
        async () => {
            for await (const one of run) seen.push(one);
        },
        { code: "OUT_OF_CREDIT", statusCode: 402, data: { left: 0 } },
    );
    assert.deepEqual([seen, run.status, (await all(run.events())).length], [["a"], "failed", 2]);
});

test("204 means that nothing follows, and the snapshot has the outcome", async () => {
    const snapshot = { id: "r1", status: "completed", seq: 4, result: 7, text: "Hey", progress: null, error: null };
    const { actions } = serve(() => new Response(null, { status: 204 }), json(200, snapshot));
    const run = actions.attach("r1", "r1.4");

    assert.equal(await run.result(), 7);
    assert.deepEqual([run.status, run.text], ["completed", "Hey"]);
});

test("reset moves the cursor to what is still there", async () => {
    const reset = 'event: reset\ndata: {"firstSeq":5}\n\n';
    const { actions, requests } = serve(stream(OPENING, reset), stream(chunk(5, "e"), end(6, "done", {})));
    const run = actions.attach("r1");

    assert.deepEqual(await all(run), ["e"]);
    assert.deepEqual([run.firstSeq, requests[1].headers.get("Last-Event-ID")], [5, "r1.4"]);
});

test("restarted drops the partial text and progress of older attempts", async () => {
    const text = (seq, value) => chunk(seq, { type: "text", text: value });
    const { actions } = serve(
        stream(OPENING, text(1, "old"), end(2, "restarted", { attempt: 2 }), text(3, "new"), end(4, "done", {})),
    );
    const run = actions.count();

    await run.result();

    assert.deepEqual([run.text, run.attempt, run.progress], ["new", 2, null]);
});

test("a frame that is repeated on the way is given out once", async () => {
    const { actions } = serve(stream(OPENING, chunk(1, "a"), chunk(1, "a"), end(2, "done", {})));

    assert.deepEqual(await all(actions.count()), ["a"]);
});

test("stop cancels the run, and waits for its id if need be", async () => {
    const cancelled = { code: "CANCELLED", message: "Cancelled.", statusCode: 409 };
    let asked;
    const cancel = new Promise((resolve) => (asked = resolve));
    const { actions, requests } = serve(
        () =>
            streamOf([OPENING, chunk(1, "a")], async (controller) => {
                await cancel;
                controller.enqueue(new TextEncoder().encode(end(2, "cancelled", cancelled)));
            }),
        () => (asked(), Response.json({ id: "r1", status: "running" })),
    );

    const run = actions.count();
    await run.stop();

    await assert.rejects(run.result(), { code: "CANCELLED" });
    assert.deepEqual([requests[1].method, requests[1].path, run.status], ["POST", "runs/r1/cancel", "cancelled"]);
});

test("a signal ends the reading and cancels nothing", async () => {
    const leaving = new AbortController();
    const { actions, requests } = serve(
        (init) => new Promise((_, reject) => init.signal.addEventListener("abort", () => reject(init.signal.reason))),
    );
    const run = actions.count({}, { signal: leaving.signal });

    setImmediate(() => leaving.abort());

    await assert.rejects(run.result(), { name: "AbortError" });
    assert.deepEqual([requests.length, run.error, run.connection], [1, null, "closed"]);
});

test("a detached call is answered at once and then read from the log", async () => {
    const { actions, requests } = serve(
        json(202, { id: "r1", status: "pending" }),
        stream(OPENING, end(1, "done", { result: 1 })),
    );

    assert.equal(await actions.count({}, { detached: true }).result(), 1);
    assert.equal(requests[0].headers.get("Prefer"), "respond-async");
    assert.equal(requests[1].path, "runs/r1/events");
});

test("polling reads the same events at the pace that the server says", async () => {
    const done = { seq: 2, type: "done", data: { result: 9 } };
    const { actions, requests, waits } = serve(
        json(202, { id: "r1", status: "running" }),
        json(200, {
            status: "running",
            firstSeq: 1,
            retryAfterMs: 700,
            events: [{ seq: 1, type: "chunk", data: "a" }],
        }),
        json(200, { status: "completed", firstSeq: 1, retryAfterMs: null, events: [done] }),
    );
    const run = actions.count({}, { transport: "poll" });

    assert.deepEqual(await all(run), ["a"]);
    assert.equal(await run.result(), 9);
    assert.deepEqual([requests[2].path, waits], ["runs/r1?after=r1.1", [700]]);
});

test("a feed is opened by GET, with its input in the query", async () => {
    const { actions, requests } = serve(stream(OPENING, end(1, "done", {})));

    await actions.open("prices", { symbol: ["a", "b"], n: 2, none: null }).result();

    assert.deepEqual([requests[0].method, requests[0].path], ["GET", "prices?symbol=a&symbol=b&n=2"]);
});

test("headers may be asked for before every request", async () => {
    let count = 0;
    const seen = [];
    const fetch = async (url, { headers }) => {
        seen.push(headers.get("Authorization"));
        return (seen.length === 1 ? stream(OPENING) : stream(end(1, "done", {})))();
    };
    const headers = async () => ({ Authorization: `Bearer ${++count}` });

    await createClient({ url: "http://test/api/", fetch, headers, wait: async () => {} })
        .count()
        .result();

    assert.deepEqual(seen, ["Bearer 1", "Bearer 2"]);
});

test("a connection over which nothing comes is cut and resumed", async () => {
    const silent = ({ signal }) => {
        const body = new ReadableStream({
            start: (controller) => signal.addEventListener("abort", () => controller.error(signal.reason)),
        });
        return new Response(body, { headers: { "Content-Type": "text/event-stream", "Run-Id": "r1" } });
    };
    const answers = [silent, stream(end(1, "done", {}))];
    const fetch = async (url, init) => answers.shift()(init);

    await createClient({ url: "http://test/", fetch, wait: async () => {}, idleMs: 1 })
        .count()
        .result();

    assert.equal(answers.length, 0);
});

test("awaiting or serialising a client starts nothing", async () => {
    const { actions, requests } = serve();

    JSON.stringify(await actions);
    String(Object.prototype.toString.call(actions));

    assert.deepEqual(requests, []);
});

test("a listener hears of changes until it is taken away", async () => {
    const { actions } = serve(stream(OPENING, chunk(1, "a"), end(2, "done", {})));
    const run = actions.count();
    const heard = [];
    const unsubscribe = run.subscribe(({ status }) => heard.push(status));

    await run.result();
    await null;
    unsubscribe();

    assert.equal(heard.at(-1), "completed");
});
