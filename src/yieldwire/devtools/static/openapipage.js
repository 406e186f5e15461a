/** The OpenAPI document for people: every operation with its parameters, its body and its responses. */

import { paragraphsOf, prose, withCode } from "./docstring.js";
import { el } from "./dom.js";
import { factList } from "./facts.js";
import { schemaTree } from "./schematree.js";

/**
 * @typedef {any} Part A part of an OpenAPI document.
 */

/** @param {Part} document */
export function openapiPage(document) {
  const { openapi, info, servers = [], paths = {}, components = {} } = document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationOf(path, method, operation, document)),
  );
  const schemas = Object.entries(components.schemas ?? {}).map(([name, schema]) =>
    folded([el("code", { text: name })], () => [schemaTree(schema, document)]),
  );
  const urls = servers.map((/** @type {Part} */ { url }) => url).join(", ");
  const facts = factList([["Title", info.title], ["Version", info.version], ["OpenAPI", openapi], ["Server", urls]]);
  return [
    el("section", { class: "card document-part", "aria-label": "About" }, facts),
    el("section", { class: "card document-part", "aria-label": "Operations" }, el("h2", { text: "Operations" }), ...operations),
    ...(schemas.length
      ? [el("section", { class: "card document-part", "aria-label": "Schemas" }, el("h2", { text: "Schemas" }), ...schemas)]
      : []),
  ];
}

/** @param {string} path @param {string} method @param {Part} operation @param {Part} root */
function operationOf(path, method, operation, root) {
  const { summary, description, parameters = [], requestBody, responses = {} } = operation;
  const title = [
    el("span", { class: "method", data: { method }, text: method.toUpperCase() }),
    el("code", { class: "path", text: path }),
    el("span", { class: "muted", text: summary ?? "" }),
  ];
  return folded(title, () => [
    ...(description && description !== summary ? paragraphsOf(description).map(prose) : []),
    ...(parameters.length ? [el("h3", { text: "Parameters" }), parametersOf(parameters, root)] : []),
    ...(requestBody ? [el("h3", { text: "Body" }), ...contentOf(requestBody.content, root)] : []),
    el("h3", { text: "Responses" }),
    ...Object.entries(responses).map(([status, response]) => responseOf(status, response, root)),
  ]);
}

/** @param {Part[]} parameters @param {Part} root */
function parametersOf(parameters, root) {
  const found = parameters.map((parameter) => at(parameter, root));
  const properties = found.map(({ name, in: place, schema, description }) => [
    `${name} (${place})`,
    { ...schema, description: description ?? schema?.description },
  ]);
  const required = found.filter((parameter) => parameter.required).map(({ name, in: place }) => `${name} (${place})`);
  return schemaTree({ properties: Object.fromEntries(properties), required }, root);
}

/** @param {string} status @param {Part} response @param {Part} root */
function responseOf(status, response, root) {
  const { description, content } = at(response, root);
  const title = [el("code", { class: "path", text: status }), el("span", { class: "muted" }, ...withCode(description ?? ""))];
  return content ? folded(title, () => contentOf(content, root)) : el("p", { class: "folded-alone" }, ...title);
}

/** One block for each media type. @param {Record<string, Part>} content @param {Part} root */
const contentOf = (content, root) =>
  Object.entries(content).map(([type, { schema, itemSchema }]) =>
    el("div", { class: "media" }, el("h4", { text: type }), schemaTree(itemSchema ?? schema ?? {}, root)),
  );

/** A part, or what it refers to. @param {Part} part @param {Part} root @returns {Part} */
function at(part, root) {
  if (!part.$ref) return part;
  return part.$ref.replace(/^#\//, "").split("/").reduce((/** @type {Part} */ place, /** @type {string} */ step) => place?.[step], root) ?? {};
}

/** A part whose inside is made when it is opened. @param {(Node | string)[]} title @param {() => Node[]} inside */
function folded(title, inside) {
  const body = el("div", { class: "folded-body" });
  const box = el("details", { class: "folded" }, el("summary", {}, ...title), body);
  box.addEventListener("toggle", () => body.children.length === 0 && body.append(...inside()));
  return box;
}
