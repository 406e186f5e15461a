/** What the developer page's address says, and that writing it and reading it are one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hashOf, hashOfRun, placeOf } from "../../src/yieldwire/devtools/static/address.js";

test("an action and the runs that are followed survive a reload", () => {
    for (const place of [
        { action: "count", runs: ["rA~_-1", "rB"] },
        { action: "ünïcode/%?#&", runs: ["a&run=b"] },
        { action: undefined, runs: ["rA"] },
        { action: undefined, runs: [] },
    ])
        assert.deepEqual(placeOf(hashOf(place)), place);
});

test("a link to a run names no action", () => {
    assert.deepEqual(placeOf(hashOfRun("rA?&")), { action: undefined, runs: ["rA?&"] });
});

test("a document is shown next to the runs that are followed", () => {
    for (const document of ["manifest", "openapi"]) {
        const place = { action: undefined, runs: ["rA"], document };

        assert.equal(hashOf({ ...place, action: "count" }), `#/${document}?run=rA`);
        assert.deepEqual(placeOf(hashOf(place)), place);
    }
});

test("an address that says nothing shows nothing", () => {
    for (const hash of ["", "#", "#/", "#action", "#/action/", "#/run/", "#/other/x"])
        assert.deepEqual(placeOf(hash), { action: undefined, runs: [] });
    assert.equal(placeOf("#/action/%E0%A4%A").action, "%E0%A4%A");
});
