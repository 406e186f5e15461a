/** Making elements. Text is only ever put in as text nodes, and styles only through classes. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element. `props`: `class`, `text`, `data` (data attributes), `on` (listeners), `hidden` and other booleans;
 * anything else is an attribute. Children that are strings become text nodes; null and false are left out.
 */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name === "text") element.textContent = value;
    else if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "on")
      for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

/** A drawing of strokes on a 16 × 16 grid, for beside a text that says the same. */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 16 16", "aria-hidden": "true", class: "icon" }))
    svg.setAttribute(name, value);
  svg.append(document.createElementNS(SVG, "path"));
  svg.firstChild.setAttribute("d", path);
  return svg;
}

/** Put text into an element and show it; hide it when there is none. */
export function show(element, text) {
  const value = text ?? "";
  if (element.textContent !== value) element.textContent = value;
  element.hidden = value === "";
}

/** A button that copies what `text()` gives and says so. */
export function copyButton(text, label = "Copy") {
  const button = el("button", { type: "button", class: "quiet", text: label });
  button.addEventListener("click", async () => {
    const copied = await copy(text());
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // http origins have no clipboard
  }
}

function copyBySelection(text) {
  const area = el("textarea", { class: "off-screen", readonly: true });
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}
