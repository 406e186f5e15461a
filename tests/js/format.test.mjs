/** Values as the developer page writes them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, brief, bytes, duration, gist, isQuiet, progressLabel, rate, shortId, weight } from "../../src/yieldwire/devtools/static/format.js";

test("progress says what is known of it", () => {
    assert.equal(progressLabel({ current: 400, total: 40000, percent: 1 }), "400 of 40,000 · 1 %");
    assert.equal(progressLabel({ current: 1, total: 3 }), "1 of 3 · 33 %");
    assert.equal(progressLabel({ current: 7, total: null }), "7");
});

test("progress does not repeat what its message says", () => {
    const labels = [
        { current: 3, total: 5, message: "3 of 5" },
        { current: 1234, total: 5000, message: "Row 1,234 of 5,000" },
        { current: 3, total: 5, message: "Step 3/5, 60 %" },
        { current: 7, total: null, message: "7 rows" },
        { current: 1, total: 10, message: "Invoice 21 of 210" },
        { current: 3, total: 5, message: "Level 3" },
    ].map(progressLabel);

    assert.deepEqual(labels, ["60 %", "24 %", "", "", "1 of 10 · 10 %", "3 of 5 · 60 %"]);
});

test("a run that is not at its end never says 100 %", () => {
    assert.equal(progressLabel({ current: 999, total: 1000, percent: 99.9 }), "999 of 1,000 · 99 %");
});

test("durations are told in the unit that fits", () => {
    assert.deepEqual([20, 4200, 200_000, 7_500_000, NaN].map(duration), [
        "20 ms",
        "4.2 s",
        "3 min 20 s",
        "2 h 5 min",
        "",
    ]);
});

test("times are told from now", () => {
    const now = Date.parse("2025-01-01T12:00:00Z");

    assert.deepEqual(
        ["12:00:00", "11:59:48", "11:55:00", "09:00:00"].map((time) => ago(`2025-01-01T${time}Z`, now)),
        ["now", "12 s ago", "5 min ago", "3 h ago"],
    );
});

test("long data is cut and short data is not", () => {
    assert.equal(brief("x".repeat(300), 10), `${"x".repeat(10)}…`);
    assert.equal(brief({ a: 1 }), '{"a":1}');
    assert.equal(brief(undefined), "");
});

test("an event's gist names what matters of it", () => {
    assert.equal(gist({ type: "chunk", data: { type: "text", text: "a\n" } }), '"a\\n"');
    assert.equal(
        gist({ type: "chunk", data: { type: "progress", current: 1, total: 2, message: "Half" } }),
        "1 of 2 · 50 % · Half",
    );
    assert.equal(gist({ type: "error", data: { code: "X", message: "No." } }), "X: No.");
    assert.equal(gist({ type: "chunk", data: { price: 1 } }), '{"price":1}');
    assert.equal(gist({ type: "chunk", data: { type: "usage", input_tokens: 1, output_tokens: 2 } }), "usage · 1 tokens in, 2 out");
    assert.equal(gist({ type: "chunk", data: { type: "tool-call", name: "f", input: { x: 1 } } }), 'tool-call · f {"x":1}');
    assert.equal(gist({ type: "chunk", data: { type: "finish" } }), '{"type":"finish"}');
});

test("a long id is shortened and a short one is not", () => {
    assert.deepEqual([shortId("0123456789abcdef"), shortId("r1")], ["01234567…", "r1"]);
});

test("sizes and speeds are told in three figures or so", () => {
    assert.deepEqual([820, 4_200, 3_100_000, 2_000_000_000].map(bytes), ["820 B", "4.2 kB", "3.1 MB", "2.0 GB"]);
    assert.deepEqual([undefined, 2, 12.34, 12_345.6].map(rate), ["", "2/s", "12.3/s", "12,346/s"]);
});

test("a value weighs about the characters that it has, however deep", () => {
    let deep = "x";
    for (let level = 0; level < 100_000; level += 1) deep = [deep];

    assert.ok(weight("x".repeat(1000)) >= 1000);
    assert.ok(weight({ a: ["x".repeat(500), { b: "y".repeat(500) }], c: null }) >= 1000);
    assert.ok(weight(deep) >= 100_000);
    assert.ok(weight(7) < 20);
});

test("only pieces and facts about an answer are quiet", () => {
    assert.equal(isQuiet({ type: "usage", input_tokens: 1 }), true);
    assert.equal(isQuiet({ type: "usage", cpu: 1 }), false);
    assert.equal(isQuiet({ type: "tool-call" }), false);
    assert.equal(isQuiet("usage"), false);
    assert.equal(isQuiet(null), false);
});
