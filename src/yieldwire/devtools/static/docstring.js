/** Docstrings as paragraphs, with what they quote as code. */

import { el } from "./dom.js";

/** The paragraphs, each reflowed to the available width, except lists and code. @param {string | null | undefined} doc */
export const paragraphsOf = (doc) =>
  (doc ?? "")
    .trim()
    .split(/\n\s*\n/)
    .map((text) => text.replaceAll(/\n(?![\s*-])/g, " "));

/** A text whose parts in backquotes are code. @param {string} text @returns {(Node | string)[]} */
export const withCode = (text) =>
  text.split(/(``[^`]+``|`[^`]+`)/).map((part) => (/^`.*`$/s.test(part) ? el("code", { text: part.replaceAll("`", "") }) : part));

/** @param {string} text */
export const prose = (text) => el("p", { class: "prose" }, ...withCode(text));
