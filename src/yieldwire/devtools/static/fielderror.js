/** Finds the place in a form for a server message about a path of the input. Pure. */

/**
 * Find the field for a path, or the nearest one around it.
 *
 * In the path of a union's value the server also names the type, as in `by.train.carriage` and `budget.int`; the form does not.
 * `tagsAt(path)` returns the possible names of the chosen type of the union at a path, an empty list for a field that is not a
 * union, and undefined if there is no field. `rest` is the part of the path that has no field in the form; `isOther` says that
 * the message is about another type of a union than the chosen one.
 *
 * @param {string} path
 * @param {(path: string) => string[] | undefined} tagsAt
 * @returns {{ at: string, rest: string, isOther: boolean }}
 */
export function placeOfError(path, tagsAt) {
  const steps = path.split(".");
  let at = "";
  while (steps.length) {
    const next = at ? `${at}.${steps[0]}` : /** @type {string} */ (steps[0]);
    const tags = at ? (tagsAt(at) ?? []) : [];
    if (tagsAt(next)) at = next;
    else if (!tags.includes(steps[0] ?? "")) return { at, rest: steps.join("."), isOther: tags.length > 0 };
    steps.shift();
  }
  return { at, rest: "", isOther: false };
}
