/** The page's documents: what an application says about itself, for people. */

import { copyButton, el } from "./dom.js";
import { manifestPage } from "./manifestpage.js";
import { notice } from "./notice.js";
import { openapiPage } from "./openapipage.js";

/** @typedef {{ title: string, file: string, lead: string, partsOf: (document: any) => Node[] }} Kind */

/** @type {Record<string, Kind>} */
const KINDS = {
  manifest: {
    title: "Manifest",
    file: "manifest.json",
    lead: "The actions as clients, the command line and this page read them.",
    partsOf: manifestPage,
  },
  openapi: {
    title: "OpenAPI",
    file: "openapi.json",
    lead: "The same actions for every tool that reads OpenAPI.",
    partsOf: openapiPage,
  },
};

/**
 * Create the page of a document.
 * @param {string} name
 * @param {(path: string) => Promise<unknown>} load
 */
export async function documentPage(name, load) {
  const { title, file, lead, partsOf } = /** @type {Kind} */ (KINDS[name]);
  try {
    const document = await load(file);
    const raw = el("a", { href: file, text: file });
    const copy = copyButton(() => JSON.stringify(document, null, 2), "Copy as JSON");
    const head = el("h1", { text: title, tabindex: "-1" });
    return el("div", { class: "document" }, head, el("p", { class: "lead" }, lead, " ", raw, " ", copy), ...partsOf(document));
  } catch (reason) {
    return notice(`${file} could not be loaded`, /** @type {Error} */ (reason).message);
  }
}
