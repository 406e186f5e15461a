/** The facts about an action, as a list of terms. */

import { el } from "./dom.js";
import { typeName } from "./schema.js";

/** @param {import("./actions.js").ActionInfo} action */
export function factsOf({ name, alias, method, streams, chunk, result, errors, linger, timeout, shared }) {
  const codes = (errors ?? []).map(({ code, status }) => (status ? `${code} ${status}` : code));
  return factList([
    ["Call", `${method} /${name}${alias && alias !== name ? ` or /${alias}` : ""}`],
    ["Yields", streams && chunk?.type !== "null" ? typeName(chunk) : "no chunks"],
    ["Returns", result?.type === "null" ? "" : typeName(result)],
    ["Fails with", codes.join(", ")],
    ["Readers", linger === null ? "not needed" : `lingers ${linger} s without readers`],
    ["Time limit", timeout ? `${timeout} s` : ""],
    ["Shared", shared ? "one run for all readers" : ""],
  ]);
}

/** Terms and their texts; those without a text are left out. @param {[string, string][]} facts */
export function factList(facts) {
  const rows = facts
    .filter(([, text]) => text)
    .map(([term, text]) => el("div", {}, el("dt", { text: term }), el("dd", { text })));
  return el("dl", { class: "facts" }, ...rows);
}
