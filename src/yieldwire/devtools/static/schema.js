/** Reads JSON Schema, as Pydantic writes it. Pure: independent of the page. */

/**
 * @typedef {{ [key: string]: any }} Schema
 * @typedef {{ schema: Schema, nullable: boolean, title: string }} Common
 * @typedef {{ label: string, tags: string[], schema: Schema }} Member One of a union's types, and what the server calls it in the paths of errors.
 * @typedef {Common & (
 *   | { kind: "text", input: string, isLong: boolean }
 *   | { kind: "number" | "boolean" | "json" }
 *   | { kind: "constant", value: unknown }
 *   | { kind: "choice", options: unknown[] }
 *   | { kind: "file", multiple: boolean }
 *   | { kind: "list", items: Schema }
 *   | { kind: "object", fields: [string, Schema][], required: string[] }
 *   | { kind: "union", members: Member[] }
 * )} Field The control that a place of the input needs.
 */

/** @type {Record<string, string>} */
const FORMATS = {
  date: "date",
  time: "time",
  "date-time": "datetime-local",
  email: "email",
  uri: "url",
  password: "password",
};
/** Python's names of JSON types, which Pydantic uses for a union's member in a path. @type {Record<string, string>} */
const PYTHON_NAMES = { integer: "int", number: "float", string: "str", boolean: "bool", array: "list", object: "dict" };
const LONG_TEXT = 200; // characters; a string that can be longer gets several lines
const LONG_NAMES = /(^|_)(prompt|text|message|body|content|description|question|notes?|markdown|html|code|sql)$/i;

/**
 * Follow `$ref` (and an `allOf` of one); members next to the reference win.
 * @param {Schema | undefined} schema
 * @param {Schema} root
 * @returns {Schema}
 */
export function resolve(schema, root) {
  let found = schema ?? {};
  for (let depth = 0; depth < 50; depth++) {
    const { $ref, allOf, ...own } = found;
    if ($ref) found = { ...lookUp($ref, root), ...own };
    else if (allOf?.length === 1) found = { ...allOf[0], ...own };
    else return found;
  }
  return {};
}

/** @param {string} ref @param {Schema} root @returns {Schema} */
function lookUp(ref, root) {
  const steps = ref
    .replace(/^#\/?/, "")
    .split("/")
    .map((step) => decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~"));
  return steps.reduce((place, step) => place?.[step], root) ?? {};
}

/**
 * The control for a field; types without a control use json. Null is not a member of a union but `nullable`.
 * @param {Schema} schema
 * @param {Schema} root
 * @param {string} [name]
 * @returns {Field}
 */
export function fieldOf(schema, root, name = "") {
  let found = resolve(schema, root);
  const { anyOf, oneOf, ...own } = found;
  /** @type {Schema[] | undefined} */
  const members = anyOf ?? oneOf;
  const rest = members?.filter((member) => resolve(member, root).type !== "null") ?? [];
  const nullable = rest.length < (members?.length ?? 0);
  const title = typeName(schema, root);
  if (rest.length > 1) return { kind: "union", nullable, schema: found, title, members: membersOf(rest, root) };
  if (members) found = { ...resolve(rest[0], root), ...own };
  return { nullable, schema: found, title, ...kindOf(found, root, name) };
}

/** @param {Schema} schema @param {Schema} root @param {string} name @returns {any} */
function kindOf(schema, root, name) {
  if (schema.format === "binary") return { kind: "file", multiple: false };
  if ("const" in schema) return { kind: "constant", value: schema.const };
  if (schema.enum) return { kind: "choice", options: schema.enum };
  if (schema.type === "boolean") return { kind: "boolean" };
  if (schema.type === "integer" || schema.type === "number") return { kind: "number" };
  if (schema.type === "string") return textOf(schema, name);
  if (schema.type === "array") return listOf(schema, root);
  if (schema.type === "object" && schema.properties)
    return { kind: "object", fields: Object.entries(schema.properties), required: schema.required ?? [] };
  return { kind: "json" };
}

/** @param {Schema} schema @param {string} name */
function textOf(schema, name) {
  const input = FORMATS[schema.format] ?? "text";
  const isLong = schema.maxLength > LONG_TEXT || (schema.maxLength === undefined && LONG_NAMES.test(name));
  return { kind: "text", input, isLong: input === "text" && isLong };
}

/** @param {Schema} schema @param {Schema} root */
function listOf(schema, root) {
  if (!schema.items || schema.prefixItems) return { kind: "json" };
  if (resolve(schema.items, root).format === "binary") return { kind: "file", multiple: true };
  return { kind: "list", items: schema.items };
}

/** @param {Schema[]} members @param {Schema} root @returns {Member[]} */
function membersOf(members, root) {
  return members.map((schema) => {
    const found = resolve(schema, root);
    const constants = Object.values(found.properties ?? {}).filter((property) => "const" in property);
    const label = typeName(schema, root);
    const python = PYTHON_NAMES[found.type];
    const tags = [label, ...constants.map((property) => String(property.const)), ...(python ? [python] : [])];
    return { label, tags, schema };
  });
}

/**
 * The first member of a union that matches a value, by its type and its constants; the first member if none does.
 * @param {Member[]} members
 * @param {unknown} value
 * @param {Schema} root
 */
export function memberOf(members, value, root) {
  return Math.max(
    0,
    members.findIndex(({ schema }) => fits(resolve(schema, root), value)),
  );
}

/** @param {Schema} schema @param {any} value @returns {boolean} */
function fits(schema, value) {
  if ("const" in schema) return schema.const === value;
  if (schema.enum) return schema.enum.includes(value);
  if (Array.isArray(value)) return schema.type === "array";
  if (typeof value !== "object")
    return (PYTHON_TYPES[typeof value] ?? []).includes(schema.type) && isWhole(schema, value);
  const properties = Object.entries(schema.properties ?? {});
  const isLike = properties.every(([name, { const: wanted }]) => wanted === undefined || value?.[name] === wanted);
  const isWholeObject = (schema.required ?? []).every((/** @type {string} */ name) => name in (value ?? {}));
  return schema.type === "object" && isLike && isWholeObject;
}

/** @type {Record<string, string[]>} */
const PYTHON_TYPES = { string: ["string"], boolean: ["boolean"], number: ["integer", "number"] };
const isWhole = (/** @type {Schema} */ schema, /** @type {unknown} */ value) =>
  schema.type !== "integer" || Number.isInteger(value);

/** The fields of an input that are files, or lists of them. @param {Schema} input */
export function filesOf(input) {
  const { properties = {} } = resolve(input, input);
  return Object.keys(properties).filter((name) => fieldOf(properties[name], input, name).kind === "file");
}

/**
 * A schema's name for people: `Text | Progress`, `list[Stop]`, `integer`.
 * @param {Schema | null | undefined} schema
 * @param {Schema} [root]
 * @returns {string}
 */
export function typeName(schema, root = schema ?? {}) {
  if (!schema || Object.keys(schema).length === 0) return "any";
  /** @type {Schema[] | undefined} */
  const union = schema.anyOf ?? schema.oneOf;
  if (union) return union.map((member) => typeName(member, root)).join(" | ");
  if (schema.$ref) return resolve(schema, root).title ?? schema.$ref.split("/").at(-1);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((/** @type {unknown} */ value) => JSON.stringify(value)).join(" | ");
  if (schema.prefixItems)
    return `tuple[${schema.prefixItems.map((/** @type {Schema} */ item) => typeName(item, root)).join(", ")}]`;
  if (schema.type === "array") return `list[${typeName(schema.items, root)}]`;
  if (schema.format === "binary") return "file";
  if (schema.properties && schema.title) return schema.title;
  const { additionalProperties: values } = schema;
  if (schema.type === "object" && typeof values === "object") return `dict[${typeName(values, root)}]`;
  return schema.format ?? schema.type ?? "any"; // the title of one without properties is its own name again
}

/**
 * The constraints of a value, in a few words: `integer, 1 to 100`.
 * @param {Schema} schema
 * @param {Schema} [root]
 */
export function hint(schema, root) {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, minLength, maxLength, minItems, maxItems, pattern } =
    schema;
  const facts = [
    schema.enum || "const" in schema ? null : typeName(schema, root),
    between(minimum, maximum, ""),
    exclusiveMinimum !== undefined ? `above ${exclusiveMinimum}` : null,
    exclusiveMaximum !== undefined ? `below ${exclusiveMaximum}` : null,
    between(minLength, maxLength, "character"),
    schema.prefixItems ? null : between(minItems, maxItems, "item"),
    pattern ? `matches ${pattern}` : null,
  ];
  return facts.filter((fact) => fact !== null).join(", ");
}

/** @param {number | undefined} low @param {number | undefined} high @param {string} unit */
function between(low, high, unit) {
  const last = high ?? low;
  const words = unit && ` ${unit}${last === 1 ? "" : "s"}`;
  if (low !== undefined && low === high) return `${low}${words}`;
  if (low !== undefined && high !== undefined) return `${low} to ${high}${words}`;
  if (low !== undefined) return `at least ${low}${words}`;
  return high !== undefined ? `at most ${high}${words}` : null;
}
