/** A JSON Schema as a tree of its fields, each with its type, its default and its description. */

import { paragraphsOf, withCode } from "./docstring.js";
import { el } from "./dom.js";
import { brief } from "./format.js";
import { hint, resolve, typeName } from "./schema.js";

/** @typedef {import("./schema.js").Schema} Schema */

/**
 * Create the tree of a schema.
 * @param {Schema} schema
 * @param {Schema} [root] Where its references lead.
 * @returns {HTMLElement}
 */
export function schemaTree(schema, root = schema) {
  const parts = partsOf(schema, root);
  if (parts.length === 0) return el("p", { class: "schema-line" }, el("code", { text: hint(resolve(schema, root), root) }));
  return el("ul", { class: "schema" }, ...parts.map((part) => fieldOf(part, root)));
}

/** @typedef {{ name: string, schema: Schema, isRequired: boolean }} Part A field, or one type of a union. */

/** The fields below a schema: of an object, of a list's items, of JSON in a text, of a union's types. @param {Schema} schema @param {Schema} root @returns {Part[]} */
function partsOf(schema, root) {
  const { properties, required = [], items, additionalProperties, contentSchema, anyOf, oneOf } = resolve(schema, root);
  if (properties)
    return Object.entries(properties).map(([name, property]) => ({
      name,
      schema: property,
      isRequired: required.includes(name),
    }));
  /** @type {Schema[]} */
  const members = (anyOf ?? oneOf ?? []).filter((/** @type {Schema} */ member) => partsOf(member, root).length > 0);
  if (members.length === 1) return partsOf(members[0] ?? {}, root);
  if (members.length > 1) return members.map((member) => ({ name: "", schema: member, isRequired: false }));
  const inner = items ?? additionalProperties ?? contentSchema;
  return inner && typeof inner === "object" ? partsOf(inner, root) : [];
}

/** @param {Part} part @param {Schema} root */
function fieldOf({ name, schema, isRequired }, root) {
  const { description, default: given } = resolve(schema, root);
  const line = [
    name && el("code", { class: "field-name", text: name }),
    el("span", { class: "field-hint", text: hint({ ...schema, ...resolve(schema, root), $ref: undefined }, root) || typeName(schema, root) }),
    isRequired && el("span", { class: "field-required", text: "required" }),
    given !== undefined && !isRequired && el("span", { class: "field-hint", text: `default ${brief(JSON.stringify(given), 80)}` }),
  ];
  const help = description && el("p", { class: "field-help" }, ...withCode(paragraphsOf(description)[0] ?? ""));
  if (partsOf(schema, root).length === 0) return el("li", {}, el("div", { class: "schema-line" }, ...line), help);
  const inside = el("details", {}, el("summary", { class: "schema-line" }, ...line));
  // Made when it is opened, because a schema can contain itself.
  inside.addEventListener("toggle", () => inside.children.length === 1 && inside.append(schemaTree(schema, root)));
  return el("li", {}, inside, help);
}
