/** Reading JSON Schema, as Pydantic writes it. Pure: knows nothing of the page. */

const FORMATS = {
  date: "date",
  time: "time",
  "date-time": "datetime-local",
  email: "email",
  uri: "url",
  password: "password",
};
const LONG_TEXT = 200; // characters; a string that may be longer gets several lines
const LONG_NAMES = /(^|_)(prompt|text|message|body|content|description|question|notes?|markdown|html|code|sql)$/i;

/** Follow `$ref` (and an `allOf` of one); what stands beside the reference wins. */
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

function lookUp(ref, root) {
  const steps = ref
    .replace(/^#\/?/, "")
    .split("/")
    .map((step) => decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~"));
  return steps.reduce((place, step) => place?.[step], root) ?? {};
}

/**
 * What control a field needs: `{kind, nullable, schema, …}`, where kind is one of text, number, boolean, choice, file,
 * list, object and json. A union of more than one type besides null, and whatever has no control, is json.
 */
export function fieldOf(schema, root, name = "") {
  let found = resolve(schema, root);
  const members = (found.anyOf ?? found.oneOf)?.map((member) => resolve(member, root));
  const nullable = members?.some((member) => member.type === "null") ?? false;
  if (members) {
    const { anyOf, oneOf, ...own } = found;
    const rest = members.filter((member) => member.type !== "null");
    if (rest.length !== 1) return { kind: "json", nullable, schema: found };
    found = { ...rest[0], ...own };
  }
  return { nullable, schema: found, ...kindOf(found, root, name) };
}

function kindOf(schema, root, name) {
  if (schema.format === "binary") return { kind: "file", multiple: false };
  if ("const" in schema) return { kind: "choice", options: [schema.const] };
  if (schema.enum) return { kind: "choice", options: schema.enum };
  if (schema.type === "boolean") return { kind: "boolean" };
  if (schema.type === "integer" || schema.type === "number") return { kind: "number" };
  if (schema.type === "string") return textOf(schema, name);
  if (schema.type === "array") return listOf(schema, root);
  if (schema.type === "object" && schema.properties)
    return { kind: "object", fields: Object.entries(schema.properties), required: schema.required ?? [] };
  return { kind: "json" };
}

function textOf(schema, name) {
  const input = FORMATS[schema.format] ?? "text";
  const isLong = schema.maxLength > LONG_TEXT || (schema.maxLength === undefined && LONG_NAMES.test(name));
  return { kind: "text", input, isLong: input === "text" && isLong };
}

function listOf(schema, root) {
  if (!schema.items || schema.prefixItems) return { kind: "json" };
  if (resolve(schema.items, root).format === "binary") return { kind: "file", multiple: true };
  return { kind: "list", items: schema.items };
}

/** A schema's name for people: `Text | Progress`, `list[Stop]`, `integer`. */
export function typeName(schema, root = schema) {
  if (!schema || Object.keys(schema).length === 0) return "any";
  const union = schema.anyOf ?? schema.oneOf;
  if (union) return union.map((member) => typeName(member, root)).join(" | ");
  if (schema.$ref) return resolve(schema, root).title ?? schema.$ref.split("/").at(-1);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `list[${typeName(schema.items, root)}]`;
  if (schema.format === "binary") return "file";
  if (schema.properties && schema.title) return schema.title;
  return (
    schema.format ?? (schema.type === "object" ? (schema.title ?? "object") : (schema.type ?? schema.title ?? "any"))
  );
}

/** What a value must hold to, in a few words: `integer, 1 to 100`. */
export function hint(schema, root) {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, minLength, maxLength, minItems, maxItems, pattern } =
    schema;
  const between = (low, high, unit) => {
    if (low !== undefined && high !== undefined) return `${low} to ${high}${unit}`;
    if (low !== undefined) return `at least ${low}${unit}`;
    return high !== undefined ? `at most ${high}${unit}` : null;
  };
  const facts = [
    schema.enum || "const" in schema ? null : typeName(schema, root),
    between(minimum, maximum, ""),
    exclusiveMinimum !== undefined ? `above ${exclusiveMinimum}` : null,
    exclusiveMaximum !== undefined ? `below ${exclusiveMaximum}` : null,
    between(minLength, maxLength, " characters"),
    between(minItems, maxItems, " items"),
    pattern ? `matches ${pattern}` : null,
  ];
  return facts.filter((fact) => fact !== null).join(", ");
}
