/** The state in the page's URL: the shown action or document, and the followed runs. Pure. */

/** @typedef {{ action: string | undefined, runs: string[], document?: string | undefined }} Place */

const DOCUMENTS = ["manifest", "openapi"];

/**
 * Read `#/action/NAME?run=ID&run=ID`, `#/manifest` and `#/openapi` with the same runs, or `#/run/ID` for one run, of
 * any action.
 * @param {string} hash
 * @returns {Place}
 */
export function placeOf(hash) {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  const [, kind, ...rest] = path.split("/");
  const name = decoded(rest.join("/"));
  const runs = new URLSearchParams(query).getAll("run").filter(Boolean);
  if (DOCUMENTS.includes(kind ?? "")) return { action: undefined, runs, document: kind };
  if (kind === "run" && name) return { action: undefined, runs: [name, ...runs] };
  return { action: kind === "action" && name ? name : undefined, runs };
}

/** @param {Place} place */
export function hashOf({ action, runs, document }) {
  const query = runs.map((id) => `run=${encodeURIComponent(id)}`).join("&");
  const path = document ?? (action ? `action/${encodeURIComponent(action)}` : "");
  return `#/${path}${query && `?${query}`}`;
}

/** @param {string} id */
export const hashOfRun = (id) => `#/run/${encodeURIComponent(id)}`;

/** Any typed text is a valid place, even if it does not exist. @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
