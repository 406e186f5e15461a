/** The paths of the server's messages find their fields. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { placeOfError } from "../../src/yieldwire/devtools/static/fielderror.js";

const fields = { name: [], stops: [], "stops.0": [], "stops.0.city": [], by: ["Train", "train"], "by.carriage": [], budget: ["integer", "int"] };
const placeAt = (path) => placeOfError(path, (at) => fields[at]);

test("a message goes to the field of its path, however deep", () => {
    assert.deepEqual(placeAt("name"), { at: "name", rest: "", isOther: false });
    assert.deepEqual(placeAt("stops.0.city"), { at: "stops.0.city", rest: "", isOther: false });
});

test("a message about what the form does not show goes to what is around it", () => {
    assert.deepEqual(placeAt("stops.0.nights"), { at: "stops.0", rest: "nights", isOther: false });
    assert.deepEqual(placeAt("other.thing"), { at: "", rest: "other.thing", isOther: false });
    assert.deepEqual(placeAt("_root"), { at: "", rest: "_root", isOther: false });
});

test("a union's type in the path is skipped where it is the chosen one", () => {
    assert.deepEqual(placeAt("by.train.carriage"), { at: "by.carriage", rest: "", isOther: false });
    assert.deepEqual(placeAt("budget.int"), { at: "budget", rest: "", isOther: false });
});

test("a message about another type of a union than the chosen one is known as such", () => {
    assert.deepEqual(placeAt("by.ship.cabin"), { at: "by", rest: "ship.cabin", isOther: true });
    assert.deepEqual(placeAt("budget.str"), { at: "budget", rest: "str", isOther: true });
});
