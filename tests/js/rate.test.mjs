/** How fast events come, as the developer page counts it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { barsOf, Rate } from "../../src/yieldwire/devtools/static/rate.js";

const sum = (counts) => counts.reduce((total, count) => total + count, 0);

test("the wait for the first event is told from the speed of the others", () => {
    const rate = new Rate();

    rate.add(1, 500);
    rate.add(10, 1_500);

    assert.equal(rate.firstMs, 500);
    assert.equal(rate.perSecond, 10);
});

test("the order in which times become known makes no difference", () => {
    const rate = new Rate();

    rate.add(10, 1_500);
    rate.add(1, 500);

    assert.equal(rate.firstMs, 500);
    assert.equal(rate.perSecond, 10);
    assert.deepEqual(rate.spans(0), [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10]);
});

test("what came all at once has no speed", () => {
    const rate = new Rate();

    rate.add(50, 20);

    assert.equal(rate.perSecond, undefined);
});

test("a run of any length fits, and no event is lost from the count", () => {
    const rate = new Rate();
    for (let ms = 0; ms < 3_600_000; ms += 997) rate.add(3, ms);

    const counts = rate.spans(3_600_000);

    assert.ok(counts.length <= 60 && counts.length > 25, `${counts.length} spans`);
    assert.equal(sum(counts), rate.total);
});

test("time without events is in the picture", () => {
    const rate = new Rate();
    rate.add(2, 0);

    assert.deepEqual(rate.spans(350), [2, 0, 0, 0]);
});

test("the highest bar is as high as the drawing, and nothing gives an empty drawing", () => {
    assert.equal(barsOf([4, 0, 2], 60, 20), "M0 20v-20h1.5V20zM4 20v-10h1.5V20z");
    assert.equal(barsOf([0, 0], 60, 20), "");
});
