/** A table that scrolls in its own frame, and shows a limited number of rows at first. */

import { el } from "./dom.js";
import { number } from "./format.js";

/** @typedef {{ nodes: (Node | string)[], isNumber?: boolean }} Cell */

const ROWS = 100;
const MORE = 1_000;

/**
 * Create a table.
 * @param {Cell[]} head
 * @param {Cell[][]} rows
 */
export const tableOf = (head, rows) => lazyTableOf(head, rows.length, (at) => rows[at] ?? []);

/**
 * Create a table whose rows are made when they are shown.
 * @param {Cell[]} head
 * @param {number} count
 * @param {(at: number) => Cell[]} rowOf
 */
export function lazyTableOf(head, count, rowOf) {
  const body = el("tbody");
  const more = el("button", { type: "button", class: "quiet" });
  const grow = (/** @type {number} */ by) => {
    const from = body.children.length;
    const until = Math.min(count, from + by);
    for (let at = from; at < until; at++) body.append(el("tr", {}, ...rowOf(at).map((cell) => cellOf("td", cell))));
    more.hidden = until === count;
    more.textContent = `Show more: ${number(until)} of ${number(count)} rows`;
  };
  more.addEventListener("click", () => grow(MORE));
  grow(ROWS);
  const heads = head.map((cell) => cellOf("th", cell));
  const table = el("table", { class: "data" }, el("thead", {}, el("tr", {}, ...heads)), body);
  const frame = { class: "table-frame", tabindex: "0", role: "group", "aria-label": `Table of ${number(count)} rows` };
  return el("div", { class: "table-box" }, el("div", frame, table), more);
}

/** @param {"th" | "td"} tag @param {Cell} cell */
const cellOf = (tag, { nodes, isNumber }) =>
  el(tag, { class: isNumber ? "number" : "", scope: tag === "th" ? "col" : null }, ...nodes);
