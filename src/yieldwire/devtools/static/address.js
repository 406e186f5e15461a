/** The state in the page's URL: the shown action, and the followed runs. Pure. */

/** @typedef {{ action: string | undefined, runs: string[] }} Place */

/**
 * Read `#/action/NAME?run=ID&run=ID`, or `#/run/ID` for one run, whatever its action.
 * @param {string} hash
 * @returns {Place}
 */
export function placeOf(hash) {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  const [, kind, ...rest] = path.split("/");
  const name = decoded(rest.join("/"));
  const runs = new URLSearchParams(query).getAll("run").filter(Boolean);
  if (kind === "run" && name) return { action: undefined, runs: [name, ...runs] };
  return { action: kind === "action" && name ? name : undefined, runs };
}

/** @param {Place} place */
export function hashOf({ action, runs }) {
  const query = runs.map((id) => `run=${encodeURIComponent(id)}`).join("&");
  return `#/${action ? `action/${encodeURIComponent(action)}` : ""}${query && `?${query}`}`;
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
