/** Fields that are made of fields: objects, lists, and the types of a union. */

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

/** An object or a list that may be left out, or null: its fields are made when it is added, so that a schema may contain itself. @param {At} at @returns {FormField} */
export function optionalField(at) {
  let { path } = at;
  const make = at.spec.kind === "list" ? listField : objectField;
  const withoutHelp = { ...at.spec, schema: { ...at.spec.schema, description: undefined } }; // it is said outside
  /** @type {FormField | null} */
  let inner = null;
  const body = el("div", {});
  const toggle = el("button", { type: "button", class: "quiet" });
  const set = (/** @type {boolean} */ isWanted) => {
    inner = isWanted ? make({ ...at, path, spec: withoutHelp }) : null;
    inner?.element.classList.add("is-inner");
    body.replaceChildren(...(inner ? [inner.element] : []));
    const step = labelOf(path);
    toggle.textContent = inner ? `Leave ${step} out` : at.canBeNull ? `Add ${step} (null without)` : `Add ${step}`;
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
    inner = member ? createField(path, withoutDefault(member.schema, at.root), at.root, { isRequired: true, isMarked: false }) : null;
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
  let { path } = at;
  /** @type {{ field: FormField, element: HTMLElement, rename: (index: number) => void }[]} */
  let rows = [];
  const list = el("ol", { class: "field-items" });
  const rename = (/** @type {string} */ to) => {
    path = to;
    rows.forEach((row, index) => row.rename(index));
  };
  const arrange = () => {
    list.replaceChildren(...rows.map(({ element }) => element));
    rename(path);
    changed(list);
  };
  const move = (/** @type {typeof rows[0]} */ row, /** @type {number} */ by) => {
    const [from, focused] = [rows.indexOf(row), document.activeElement];
    if (rows[from + by] === undefined) return;
    rows.splice(from + by, 0, ...rows.splice(from, 1));
    arrange();
    if (focused instanceof HTMLElement) focused.focus(); // moving an element takes the focus from it
  };
  const add = () => {
    const how = { isRequired: true, isMarked: false };
    const field = createField(`${path}.${rows.length}`, at.spec.items, at.root, how);
    const buttons = [
      iconButton(ICONS.up, "Move up", () => move(row, -1)),
      iconButton(ICONS.down, "Move down", () => move(row, 1)),
      iconButton(ICONS.close, "Remove", () => remove(row)),
    ];
    const element = el("li", {}, field.element, el("span", { class: "item-verbs" }, ...buttons));
    const row = {
      field,
      element,
      rename: (/** @type {number} */ index) => {
        field.rename(`${path}.${index}`);
        const verbs = ["Move up", "Move down", "Remove"];
        buttons.forEach((button, at) => button.setAttribute("aria-label", `${verbs[at]}: ${path}.${index}`));
      },
    };
    rows.push(row);
    list.append(element);
    rename(path);
    return field;
  };
  const more = el("button", { type: "button", class: "quiet", text: "Add an item" });
  const remove = (/** @type {typeof rows[0]} */ row) => {
    const index = rows.indexOf(row);
    rows.splice(index, 1);
    arrange();
    const next = rows[Math.min(index, rows.length - 1)];
    if (next) focusIn(next.element);
    else more.focus();
  };
  more.addEventListener("click", () => {
    focusIn(add().element);
    changed(list);
  });
  return grouped(at, el("div", { class: "field-group" }, list, more), {
    rename,
    read: (errors) => {
      const values = rows.map(({ field }) => field.read(errors) ?? null);
      const isLeftOut = values.length === 0 && !at.isRequired && !at.spec.schema.default?.length;
      return isLeftOut ? undefined : values;
    },
    write: (values) => {
      rows = [];
      list.replaceChildren();
      for (const value of values ?? []) add().write(value);
    },
  });
}
