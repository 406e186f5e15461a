/** The manifest for people: every action with what it takes, yields and returns. */

import { hashOf } from "./address.js";
import { paragraphsOf, prose } from "./docstring.js";
import { el } from "./dom.js";
import { factsOf } from "./facts.js";
import { resolve } from "./schema.js";
import { schemaTree } from "./schematree.js";

/** @param {{ actions: import("./actions.js").ActionInfo[] }} manifest */
export const manifestPage = ({ actions }) => actions.map(sectionOf);

/** @param {import("./actions.js").ActionInfo} action */
function sectionOf(action) {
  const { name, doc, input, chunk, result, errors } = action;
  const link = el("a", { href: hashOf({ action: name, runs: [] }), text: name });
  const takes = Object.keys(resolve(input, input).properties ?? {}).length > 0;
  const told = errors.filter((error) => error.doc).map((error) => `${error.code}: ${error.doc}`);
  return el(
    "section",
    { class: "card document-part", "aria-label": name },
    el("h2", {}, link),
    ...paragraphsOf(doc).map(prose),
    factsOf(action),
    ...told.map(prose),
    ...(takes ? [el("h3", { text: "Input" }), schemaTree(input)] : []),
    ...(chunk && hasFields(chunk) ? [el("h3", { text: "Chunk" }), schemaTree(chunk)] : []),
    ...(hasFields(result) ? [el("h3", { text: "Result" }), schemaTree(result)] : []),
  );
}

/** Whether there is more to say than the type's name. @param {import("./schema.js").Schema} schema */
const hasFields = (schema) => JSON.stringify(schema).includes('"properties"');
