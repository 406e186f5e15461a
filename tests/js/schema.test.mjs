/** What the developer page makes of the JSON Schemas that Pydantic writes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldOf, hint, memberOf, resolve, typeName } from "../../src/yieldwire/devtools/static/schema.js";

const root = {
    $defs: {
        Person: {
            type: "object",
            title: "Person",
            properties: { name: { type: "string" }, parent: { anyOf: [{ $ref: "#/$defs/Person" }, { type: "null" }] } },
            required: ["name"],
        },
        Kind: { enum: ["a", "b"], type: "string", title: "Kind" },
        "Page[int]": { type: "object", title: "Page[int]", properties: {} },
    },
};
const kindOf = (schema, name) => fieldOf(schema, root, name).kind;

test("every type has its control", () => {
    assert.equal(kindOf({ type: "string" }), "text");
    assert.equal(kindOf({ type: "integer" }), "number");
    assert.equal(kindOf({ type: "number" }), "number");
    assert.equal(kindOf({ type: "boolean" }), "boolean");
    assert.equal(kindOf({ enum: [1, 2] }), "choice");
    assert.equal(kindOf({ const: "a" }), "constant");
    assert.equal(kindOf({ anyOf: [{ type: "string" }, { type: "integer" }] }), "union");
    assert.equal(kindOf({ $ref: "#/$defs/Person" }), "object");
    assert.equal(kindOf({ type: "array", items: { type: "string" } }), "list");
});

test("one file and several files are file inputs", () => {
    const file = { type: "string", format: "binary" };

    assert.deepEqual([fieldOf(file, root).kind, fieldOf(file, root).multiple], ["file", false]);
    assert.equal(fieldOf({ type: "array", items: file }, root).multiple, true);
    assert.equal(fieldOf({ anyOf: [file, { type: "null" }] }, root).kind, "file");
});

test("what has no control is edited as JSON", () => {
    const odd = [
        {},
        { type: "object", additionalProperties: true },
        { type: "array" },
        { type: "array", prefixItems: [], items: {} },
    ];

    assert.deepEqual(
        odd.map((schema) => kindOf(schema)),
        ["json", "json", "json", "json"],
    );
});

test("a type or null is the type's control, and keeps the field's own words", () => {
    const found = fieldOf(
        { anyOf: [{ $ref: "#/$defs/Kind" }, { type: "null" }], description: "Which.", default: null },
        root,
    );

    assert.deepEqual(
        [found.kind, found.nullable, found.options, found.schema.description],
        ["choice", true, ["a", "b"], "Which."],
    );
});

test("a union's members are called as the server calls them in the paths of errors", () => {
    const pets = {
        $defs: {
            Cat: { type: "object", title: "Cat", properties: { kind: { const: "cat" }, lives: { type: "integer" } } },
            Dog: { type: "object", title: "Dog", properties: { kind: { const: "dog" } } },
        },
        oneOf: [{ $ref: "#/$defs/Cat" }, { $ref: "#/$defs/Dog" }, { type: "integer" }, { type: "null" }],
    };

    const found = fieldOf(pets, pets);

    assert.equal(found.nullable, true);
    assert.deepEqual(
        found.members.map(({ label, tags }) => [label, tags]),
        [
            ["Cat", ["Cat", "cat", "dict"]],
            ["Dog", ["Dog", "dog", "dict"]],
            ["integer", ["integer", "int"]],
        ],
    );
    const labelOf = (value) => found.members[memberOf(found.members, value, pets)].label;
    assert.deepEqual([{ kind: "dog" }, { kind: "cat", lives: 9 }, 3].map(labelOf), ["Dog", "Cat", "integer"]);
});

test("a value's member of a union is the one of its type", () => {
    const types = ["integer", "number", "string", "boolean", "array", "object"];
    const { members } = fieldOf({ anyOf: types.map((type) => ({ type })) }, {});

    const chosen = [1, 1.5, "1", true, [], {}].map((value) => members[memberOf(members, value, {})].label);

    assert.deepEqual(chosen, ["integer", "number", "string", "boolean", "list[any]", "object"]);
});

test("a reference keeps members next to it and resolves escaped names", () => {
    assert.equal(resolve({ $ref: "#/$defs/Kind", default: "a" }, root).default, "a");
    assert.equal(resolve({ $ref: "#/$defs/Page%5Bint%5D" }, root).title, "Page[int]");
    assert.deepEqual(resolve({ allOf: [{ $ref: "#/$defs/Kind" }], default: "b" }, root).enum, ["a", "b"]);
});

test("a reference that leads nowhere or to itself ends", () => {
    const circle = { $defs: { A: { $ref: "#/$defs/A" } } };

    assert.deepEqual(resolve({ $ref: "#/$defs/Missing" }, root), {});
    assert.deepEqual(resolve({ $ref: "#/$defs/A" }, circle), {});
});

test("long text gets several lines by its length or its name", () => {
    assert.equal(fieldOf({ type: "string", maxLength: 5000 }, root, "x").isLong, true);
    assert.equal(fieldOf({ type: "string" }, root, "user_prompt").isLong, true);
    assert.equal(fieldOf({ type: "string", maxLength: 20 }, root, "prompt").isLong, false);
});

test("types have names for people", () => {
    assert.equal(typeName({ anyOf: [{ $ref: "#/$defs/Person" }, { type: "null" }] }, root), "Person | null");
    assert.equal(typeName({ type: "array", items: { $ref: "#/$defs/Kind" } }, root), "list[Kind]");
    assert.equal(typeName({ type: "string", format: "binary" }, root), "file");
    assert.equal(typeName({ type: "object", additionalProperties: { type: "integer" }, title: "B" }), "dict[integer]");
    assert.equal(typeName({ type: "object", additionalProperties: true, title: "B" }), "object");
    assert.equal(typeName({ type: "array", prefixItems: [{ type: "integer" }, {}] }), "tuple[integer, any]");
    assert.equal(typeName({ title: "I" }), "any");
    assert.equal(typeName({}, root), "any");
    assert.equal(typeName(null), "any");
});

test("limits are told in a few words", () => {
    assert.equal(hint({ type: "integer", minimum: 1, maximum: 9 }, root), "integer, 1 to 9");
    assert.equal(hint({ type: "string", minLength: 1 }, root), "string, at least 1 character");
    assert.equal(hint({ type: "string", maxLength: 5 }, root), "string, at most 5 characters");
    assert.equal(hint({ type: "string", minLength: 3, maxLength: 3 }, root), "string, 3 characters");
    assert.equal(hint({ type: "number", exclusiveMinimum: 0 }, root), "number, above 0");
});
