/** Where in a form a message belongs that the server gave for a path of the input. Pure. */

/**
 * Find the field that a path names, or the nearest one around it.
 *
 * In the path of a union's value the server names the type too, as in `by.train.carriage` and `budget.int`; the form does not.
 * `tagsAt(path)` is what the chosen type of the union at a path may be called, an empty list at a field that is no union, and
 * undefined where there is no field. `rest` is what of the path stands for nothing in the form; `isOther` says that it is
 * about another type of a union than the chosen one.
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
