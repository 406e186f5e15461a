/**
 * A value as its schema says that it is meant: a list of objects as a table, an image as a picture, Markdown as text, a
 * file and an address as links. Nothing else has a view: JSON shows it best.
 */

import { el } from "./dom.js";
import { brief, bytes } from "./format.js";
import { markdownOf } from "./markdown.js";
import { fileUrl, imageUrl, isImageData, linkUrl, mediaTypeOf } from "./media.js";
import { memberOf, resolve } from "./schema.js";
import { lazyTableOf } from "./table.js";

/** @typedef {import("./schema.js").Schema} Schema */

const COLUMNS = 50;
const CELL = 300; // characters
const LINKS = new Set(["uri", "uri-reference", "iri", "iri-reference"]);

/**
 * Create the view of a value; null if it has none.
 * @param {any} value
 * @param {Schema | null | undefined} schema
 * @param {Schema} [root]
 * @returns {HTMLElement | null}
 */
export function viewOf(value, schema, root = schema ?? {}) {
  const found = memberFor(value, schema ?? {}, root);
  if (typeof value === "string") return mediaOf(value, found);
  if (Array.isArray(value)) return tableView(value, found, root) ?? galleryOf(value, found, root);
  return value !== null && typeof value === "object" ? partsOf(value, found, root) : null;
}

/** The schema of a value, of a union the member that it matches. @param {unknown} value @param {Schema} schema @param {Schema} root @returns {Schema} */
function memberFor(value, schema, root) {
  const found = resolve(schema, root);
  /** @type {Schema[] | undefined} */
  const union = found.anyOf ?? found.oneOf;
  if (!union) return found;
  const members = union.map((member) => ({ schema: member, label: "", tags: [] }));
  return memberFor(value, members[memberOf(members, value, root)]?.schema ?? {}, root);
}

/** @param {string} value @param {Schema} schema */
function mediaOf(value, schema) {
  const type = mediaTypeOf(schema);
  if (type === "text/markdown") return markdownOf(value);
  if (type.startsWith("image/") || isImageData(value)) return pictureOf(value, schema);
  const file = fileUrl(value, schema);
  if (file) return fileOf(file, type);
  const link = LINKS.has(schema.format) ? linkUrl(value, document.baseURI) : undefined;
  return link ? el("a", { class: "link", href: link, target: "_blank", rel: "noopener noreferrer", text: brief(value) }) : null;
}

/** @param {string} value @param {Schema} schema */
function pictureOf(value, schema) {
  const src = imageUrl(value, schema, document.baseURI);
  if (src === undefined) return null;
  const picture = el("img", { src, alt: schema.description ?? schema.title ?? "Image" });
  picture.addEventListener("error", () => picture.replaceWith(`The image cannot be loaded: ${brief(value)}`));
  return el("div", { class: "picture" }, picture);
}

/** A link that saves a file. @param {string} url @param {string} type */
function fileOf(url, type) {
  const size = Math.floor(((url.length - url.indexOf(",") - 1) * 3) / 4);
  const ending = type.split("/")[1]?.split("+").at(-1);
  return el("a", { class: "link", href: url, download: `result.${ending}`, text: `Download (${type}, ${bytes(size)})` });
}

/** A list of images or of texts in Markdown. @param {unknown[]} values @param {Schema} schema @param {Schema} root */
function galleryOf(values, schema, root) {
  const views = values.slice(0, COLUMNS).map((value) => typeof value === "string" && viewOf(value, schema.items, root));
  return views.some(Boolean) ? el("div", { class: "gallery" }, ...views) : null;
}

/** @param {Record<string, any>[]} rows @param {Schema} schema @param {Schema} root */
function tableView(rows, schema, root) {
  const isRow = (/** @type {any} */ row) => row !== null && typeof row === "object";
  if (rows.length === 0 || !schema.items || !rows.every(isRow)) return null;
  const items = memberFor(rows[0], schema.items, root);
  const names = columnsOf(rows, items).slice(0, COLUMNS);
  if (names.length === 0) return null;
  const schemas = names.map((name) => columnSchema(items, name));
  const areNumbers = names.map((name) => rows.every((row) => typeof (row[name] ?? 0) === "number"));
  const head = names.map((name, at) => ({ nodes: [name], isNumber: areNumbers[at] ?? false }));
  return lazyTableOf(head, rows.length, (at) =>
    names.map((name, column) => ({
      nodes: [cellOf(rows[at]?.[name], schemas[column] ?? {}, root)],
      isNumber: areNumbers[column] ?? false,
    })),
  );
}

/** The names of the columns: of the fields in the schema's order, or the places in rows that are lists. @param {object[]} rows @param {Schema} items */
function columnsOf(rows, items) {
  const first = Array.isArray(rows[0]) ? [] : Object.keys(items.properties ?? {});
  return [...new Set([...first, ...rows.slice(0, 100).flatMap((row) => Object.keys(row))])];
}

/** @param {Schema} items @param {string} name @returns {Schema} */
const columnSchema = (items, name) =>
  items.properties?.[name] ?? items.prefixItems?.[Number(name)] ?? items.additionalProperties ?? items.items ?? {};

/** @param {any} value @param {Schema} schema @param {Schema} root @returns {Node | string} */
function cellOf(value, schema, root) {
  if (value === null || value === undefined) return "";
  const picture = typeof value === "string" && viewOf(value, schema, root);
  return picture || brief(value, CELL);
}

/** The parts of an object, if one of them has a view. @param {Record<string, unknown>} value @param {Schema} schema @param {Schema} root */
function partsOf(value, schema, root) {
  const parts = Object.entries(value).map(([name, part]) => ({
    name,
    part,
    view: viewOf(part, schema.properties?.[name] ?? schema.additionalProperties, root),
  }));
  if (!parts.some(({ view }) => view)) return null;
  const rows = parts.map(({ name, part, view }) =>
    el(
      "div",
      { class: view ? "part-view" : "part" },
      el("dt", { text: name }),
      el("dd", {}, view ?? brief(part)),
    ),
  );
  return el("dl", { class: "parts" }, ...rows);
}
