/** Creates elements. Text is only inserted as text nodes, and styles only through classes. */

/**
 * @typedef {string | number | boolean | null | undefined} Attribute
 * @typedef {{ class?: string, text?: string | number, data?: Record<string, string | number>, on?: Record<string, (event: any) => void>, [attribute: string]: any }} Props
 * @typedef {Node | string | null | false | undefined} Child
 */

const SVG = "http://www.w3.org/2000/svg";

/** Strokes on a 16 × 16 grid. */
export const ICONS = {
  close: "M4 4l8 8M12 4l-8 8",
  up: "M8 13V3M4 7l4-4 4 4",
  down: "M8 3v10M4 9l4 4 4-4",
};

/**
 * Create an element. `props`: `class`, `text`, `data` (data attributes), `on` (listeners); a boolean sets or omits an
 * attribute, any other value is its text. String children become text nodes; null and false are left out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Props} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name === "text") element.textContent = String(value);
    else if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "on")
      for (const [type, listener] of Object.entries(props.on ?? {})) element.addEventListener(type, listener);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, value);
  }
  for (const child of children) if (child || child === "") element.append(child);
  return element;
}

/**
 * Create an SVG element.
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...Node} children
 */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** An icon, next to or inside a label with the same meaning. @param {string} path */
export const icon = (path) =>
  svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", class: "icon" }, svg("path", { d: path }));

/**
 * A button that shows only an icon; its label is for screen readers.
 * @param {string} path
 * @param {string} label
 * @param {() => void} onPress
 */
export function iconButton(path, label, onPress) {
  const props = {
    type: "button",
    class: "quiet icon-button",
    "aria-label": label,
    title: label,
    on: { click: onPress },
  };
  return el("button", props, icon(path));
}

/**
 * Put text into an element and show it; hide it when there is none.
 * @param {HTMLElement} element
 * @param {string | null | undefined} text
 */
export function show(element, text) {
  const value = text ?? "";
  if (element.textContent !== value) element.textContent = value;
  element.hidden = value === "";
}

/** Whether the target takes typed text. @param {EventTarget | null} target */
export const isTyping = (target) =>
  target instanceof Element && target.closest("input:not([type=checkbox]), textarea, select") !== null;

/** The page's element with this id. @param {string} id */
export function place(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no #${id}.`);
  return element;
}

/** Close a box like a menu: by Escape, and by a click outside. @param {HTMLDetailsElement} box */
export function closesItself(box) {
  box.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    box.open = false;
    box.querySelector("summary")?.focus();
  });
  document.addEventListener("click", ({ target }) => {
    if (target instanceof Node && !box.contains(target)) box.open = false;
  });
}

/**
 * A button that copies the value of `text()` and confirms it.
 * @param {() => string} text
 * @param {string} [label]
 */
export function copyButton(text, label = "Copy") {
  const button = el("button", { type: "button", class: "quiet", text: label });
  button.addEventListener("click", async () => {
    button.textContent = (await copy(text())) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // http origins have no clipboard
  }
}

/** @param {string} text */
function copyBySelection(text) {
  const area = el("textarea", { class: "off-screen", readonly: true });
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}
