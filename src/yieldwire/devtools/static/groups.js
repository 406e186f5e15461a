/** Fields that contain fields: objects, lists, and the types of a union. */

import { el, ICONS, iconButton } from "./dom.js";
import { createField, helpOf, labelOf, markOf } from "./fields.js";
import { hint, memberOf, resolve } from "./schema.js";

/**
 * @typedef {import("./fields.js").At} At
 * @typedef {import("./fields.js").FormField} FormField
 * @typedef {import("./schema.js").Schema} Schema
 * @typedef {Omit<FormField, "element">} Inside
 */

/** Say that a value has changed, as a control does. @param {HTMLElement} element */
const changed = (element) => element.dispatchEvent(new Event("change", { bubbles: true }));

/** The first control in an element. @param {HTMLElement} element */
const focusIn = (element) =>
  /** @type {HTMLElement | null} */ (element.querySelector("input, select, textarea, button"))?.focus();

/**
 * The frame around several controls.
 * @param {At} at
 * @param {HTMLElement} body
 * @param {Inside} inside
 * @returns {FormField}
 */
export function grouped(at, body, { rename, read, write }) {
  const name = el("span", { class: "field-name" });
  const tip = el("span", { class: "field-hint", text: hint(at.spec.schema, at.root) });
  const legend = el("legend", {}, name, markOf(at), tip);
  const error = el("p", { class: "field-error", hidden: true });
  const element = el("fieldset", { class: `field field-${at.spec.kind}` }, legend, helpOf(at), body, error);
  const renameAll = (/** @type {string} */ to) => {
    name.textContent = labelOf(to);
    element.dataset.path = to;
    rename(to);
  };
  renameAll(at.path);
  return { element, rename: renameAll, read, write };
}

/** @param {At} at @returns {FormField} */
export function objectField(at) {
  const { spec, path, root } = at;
  /** @type {[string, FormField][]} */
  const fields = spec.fields.map((/** @type {[string, Schema]} */ [name, schema]) => [
    name,
    createField(`${path}.${name}`, schema, root, { isRequired: spec.required.includes(name) }),
  ]);
  return grouped(at, el("div", { class: "field-group" }, ...fields.map(([, field]) => field.element)), {
    rename: (to) => fields.forEach(([name, field]) => field.rename(`${to}.${name}`)),
    read: (errors) => {
      const values = fields.map(([name, field]) => [name, field.read(errors)]);
      return Object.fromEntries(values.filter(([, value]) => value !== undefined));
    },
    write: (value) => fields.forEach(([name, field]) => value[name] !== undefined && field.write(value[name])),
  });
}

/**
 * An optional or nullable object or list: its fields are created when it is added, so that a schema can contain itself.
 * @param {At} at
 * @returns {FormField}
 */
export function optionalField(at) {
  let { path } = at;
  const make = at.spec.kind === "list" ? listField : objectField;
  const withoutHelp = { ...at.spec, schema: { ...at.spec.schema, description: undefined } }; // it is shown outside
  /** @type {FormField | null} */
  let inner = null;
  const body = el("div", {});
  const toggle = el("button", { type: "button", class: "quiet" });
  const set = (/** @type {boolean} */ isWanted) => {
    inner = isWanted ? make({ ...at, path, spec: withoutHelp }) : null;
    inner?.element.classList.add("is-inner");
    body.replaceChildren(...(inner ? [inner.element] : []));
    const step = labelOf(path);
    toggle.textContent = inner ? `Leave ${step} out` : at.canBeNull ? `Add ${step} (otherwise null)` : `Add ${step}`;
  };
  toggle.addEventListener("click", () => {
    set(inner === null);
    changed(toggle);
    if (inner) focusIn(body);
  });
  set(false);
  return grouped(at, el("div", { class: "field-group" }, body, toggle), {
    rename: (to) => {
      path = to;
      inner?.rename(to);
    },
    read: (errors) => (inner ? inner.read(errors) : at.canBeNull ? null : undefined),
    write: (value) => {
      set(value !== null);
      inner?.write(value);
    },
  });
}

/** One of several types: which one is chosen, and then filled in. @param {At} at @returns {FormField} */
export function unionField(at) {
  const { members } = at.spec;
  let { path } = at;
  /** @type {FormField | null} */
  let inner = null;
  const options = members.map((/** @type {import("./schema.js").Member} */ { label }, /** @type {number} */ index) =>
    el("option", { value: String(index), text: label }),
  );
  const nothing = el("option", { value: "", text: at.isRequired ? "Choose a type…" : "not set" });
  const none = at.canBeNull ? el("option", { value: "null", text: "null" }) : "";
  const choice = el("select", { class: "union-choice" }, nothing, ...options, none);
  const body = el("div", { class: "union-value" });
  const field = grouped(at, el("div", { class: "field-group" }, choice, body), {
    rename: (to) => {
      path = to;
      choice.id = `type-${to}`;
      choice.setAttribute("aria-label", `Type of ${to}`);
      inner?.rename(to);
    },
    read: (errors) => (choice.value === "null" ? null : inner?.read(errors)),
    write: (value) => {
      choice.value = value === null ? "null" : String(memberOf(members, value, at.root));
      chosen();
      inner?.write(value);
    },
  });
  const chosen = () => {
    const member = members[choice.value === "" ? -1 : Number(choice.value)];
    inner = member
      ? createField(path, withoutDefault(member.schema, at.root), at.root, { isRequired: true, isMarked: false })
      : null;
    inner?.element.classList.add("is-inner");
    body.replaceChildren(...(inner ? [inner.element] : []));
    field.element.dataset.union = JSON.stringify(member?.tags ?? []);
  };
  choice.addEventListener("change", chosen);
  chosen();
  return field;
}

/** A member's own default is none of the field's. @param {Schema} schema @param {Schema} root */
function withoutDefault(schema, root) {
  const { default: _, ...found } = resolve(schema, root);
  return found;
}

/** @param {At} at @returns {FormField} */
export function listField(at) {
  const rows = new Rows(at);
  return grouped(at, el("div", { class: "field-group" }, rows.element, rows.more), {
    rename: (to) => rows.rename(to),
    read: (errors) => {
      const values = rows.read(errors);
      const isLeftOut = values.length === 0 && !at.isRequired && !at.spec.schema.default?.length;
      return isLeftOut ? undefined : values;
    },
    write: (values) => rows.write(values ?? []),
  });
}

/** @typedef {{ field: FormField, element: HTMLElement, buttons: HTMLElement[] }} Row */

const VERBS = ["Move up", "Move down", "Remove"];

/** The items of a list, each with buttons that move and remove it. */
class Rows {
  element = el("ol", { class: "field-items" });
  more = el("button", { type: "button", class: "quiet", text: "Add an item" });
  #at;
  #path;
  /** @type {Row[]} */
  #rows = [];

  /** @param {At} at */
  constructor(at) {
    this.#at = at;
    this.#path = at.path;
    this.more.addEventListener("click", () => {
      focusIn(this.#add().element);
      changed(this.element);
    });
  }

  /** @param {string} path */
  rename(path) {
    this.#path = path;
    this.#rows.forEach(({ field, buttons }, index) => {
      field.rename(`${path}.${index}`);
      buttons.forEach((button, verb) => button.setAttribute("aria-label", `${VERBS[verb]}: ${path}.${index}`));
    });
  }

  /** @param {import("./fields.js").Errors} errors */
  read(errors) {
    return this.#rows.map(({ field }) => field.read(errors) ?? null);
  }

  /** @param {unknown[]} values */
  write(values) {
    this.#rows = [];
    this.element.replaceChildren();
    for (const value of values) this.#add().field.write(value);
  }

  #add() {
    const { spec, root } = this.#at;
    const how = { isRequired: true, isMarked: false };
    const field = createField(`${this.#path}.${this.#rows.length}`, spec.items, root, how);
    const buttons = [
      iconButton(ICONS.up, "Move up", () => this.#move(row, -1)),
      iconButton(ICONS.down, "Move down", () => this.#move(row, 1)),
      iconButton(ICONS.close, "Remove", () => this.#remove(row)),
    ];
    const element = el("li", {}, field.element, el("span", { class: "item-verbs" }, ...buttons));
    const row = { field, element, buttons };
    this.#rows.push(row);
    this.element.append(element);
    this.rename(this.#path);
    return row;
  }

  /** @param {Row} row @param {number} by */
  #move(row, by) {
    const [from, focused] = [this.#rows.indexOf(row), document.activeElement];
    if (this.#rows[from + by] === undefined) return;
    this.#rows.splice(from + by, 0, ...this.#rows.splice(from, 1));
    this.#arrange();
    if (focused instanceof HTMLElement) focused.focus(); // moving an element takes the focus from it
  }

  /** @param {Row} row */
  #remove(row) {
    const index = this.#rows.indexOf(row);
    this.#rows.splice(index, 1);
    this.#arrange();
    const next = this.#rows[Math.min(index, this.#rows.length - 1)];
    if (next) focusIn(next.element);
    else this.more.focus();
  }

  #arrange() {
    this.element.replaceChildren(...this.#rows.map(({ element }) => element));
    this.rename(this.#path);
    changed(this.element);
  }
}
