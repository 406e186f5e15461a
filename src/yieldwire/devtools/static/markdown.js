/**
 * Markdown as elements. The parser gives tokens, and each becomes an element of a known kind: no text is ever read as
 * HTML, so HTML in it is shown as it is written.
 */

import { el } from "./dom.js";
import { imageUrl, linkUrl } from "./media.js";
import { tableOf } from "./table.js";

/** @typedef {any} Token A token of `marked`. */

const LONGEST = 200_000; // characters; a longer text is shown as it is written

/** Create an element that shows Markdown, as soon as the parser is loaded. @param {string} text */
export function markdownOf(text) {
  const box = el("div", { class: "markdown" }, text);
  if (text.length <= LONGEST) void render(box, text).catch(() => {}); // then it stays as it is written
  return box;
}

/** @param {HTMLElement} box @param {string} text */
async function render(box, text) {
  const { lexer } = await import("./marked.js");
  box.replaceChildren(...new Renderer().blocks(lexer(text)));
}

class Renderer {
  /** The level of the heading above: no level is left out. */
  #level = 3;

  /** @param {Token[]} tokens @returns {Node[]} */
  blocks(tokens) {
    return tokens.flatMap((token) => this.#block(token));
  }

  /** @param {Token} token @returns {Node[]} */
  #block(token) {
    switch (token.type) {
      case "space":
      case "def":
        return [];
      case "heading":
        this.#level = Math.min(this.#level + 1, token.depth + 3, 6);
        return [el(/** @type {"h4"} */ (`h${this.#level}`), {}, ...inlines(token.tokens))];
      case "paragraph":
        return [el("p", {}, ...inlines(token.tokens))];
      case "code":
        return [el("pre", { class: "code", tabindex: "0", "aria-label": token.lang || "Code", text: token.text })];
      case "blockquote":
        return [el("blockquote", {}, ...this.blocks(token.tokens))];
      case "list":
        return [this.#list(token)];
      case "hr":
        return [el("hr")];
      case "table":
        return [this.#table(token)];
      default:
        return inlines([token]);
    }
  }

  /** @param {Token} token */
  #list({ ordered, start, items }) {
    const rows = items.map((/** @type {Token} */ item) => el("li", {}, ...this.blocks(item.tokens)));
    return ordered ? el("ol", { start: start === 1 ? null : start }, ...rows) : el("ul", {}, ...rows);
  }

  /** @param {Token} token */
  #table({ header, rows }) {
    const cellOf = (/** @type {Token} */ { tokens, align }) => ({ nodes: inlines(tokens), isNumber: align === "right" });
    return tableOf(header.map(cellOf), rows.map((/** @type {Token[]} */ row) => row.map(cellOf)));
  }
}

/** @param {Token[]} tokens @returns {Node[]} */
const inlines = (tokens) => tokens.map(inline);

/** @param {Token} token @returns {Node} */
function inline(token) {
  switch (token.type) {
    case "strong":
    case "em":
    case "del":
      return el(/** @type {"strong" | "em" | "del"} */ (token.type), {}, ...inlines(token.tokens));
    case "codespan":
      return el("code", { text: token.text });
    case "br":
      return el("br");
    case "checkbox":
      return document.createTextNode(token.checked ? "☑ " : "☐ ");
    case "link":
      return link(token);
    case "image":
      return image(token);
    case "text":
      if (token.tokens) return el("span", {}, ...inlines(token.tokens));
      return document.createTextNode(withoutEntities(token.text));
    case "escape":
      return document.createTextNode(token.text);
    default:
      return document.createTextNode(token.raw); // HTML, and what a later parser can add
  }
}

/** @param {Token} token */
function link({ href, title, tokens }) {
  const url = linkUrl(href, document.baseURI);
  const nodes = inlines(tokens);
  return url ? el("a", { href: url, title, target: "_blank", rel: "noopener noreferrer" }, ...nodes) : el("span", {}, ...nodes);
}

/** @param {Token} token */
function image({ href, title, text, raw }) {
  const src = imageUrl(href, {}, document.baseURI);
  return src ? el("img", { src, title, alt: text }) : document.createTextNode(raw);
}

/** `&amp;` and the like, each by itself. @param {string} text */
const withoutEntities = (text) =>
  text.replaceAll(
    /&(?:#\d+|#x[\da-f]+|[a-z][a-z\d]*);/gi,
    (entity) => new DOMParser().parseFromString(entity, "text/html").body.textContent ?? entity,
  );
