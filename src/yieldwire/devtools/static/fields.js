/**
 * One control for one place of the input, built from its JSON Schema.
 *
 * The controls' names are the paths that the server's `fieldErrors` use: `page`, `stops.0.city`.
 */

import { withCode } from "./docstring.js";
import { el } from "./dom.js";
import { bytes } from "./format.js";
import { grouped, listField, objectField, optionalField, unionField } from "./groups.js";
import { fieldOf, hint } from "./schema.js";

/**
 * @typedef {import("./schema.js").Schema} Schema
 * @typedef {Record<string, string[]>} Errors
 * @typedef {object} FormField
 * @property {HTMLElement} element
 * @property {(path: string) => void} rename
 * @property {(errors: Errors) => unknown} read Undefined if the field is left out; adds to `errors`, by path, input that is not a valid value.
 * @property {(value: any) => void} write
 *
 * @typedef {object} At A field's place and properties.
 * @property {string} path
 * @property {any} spec
 * @property {Schema} root
 * @property {boolean} isRequired
 * @property {boolean} isMarked
 * @property {boolean} canBeNull Whether null differs from leaving it out.
 */

/** @type {Record<string, (at: At) => FormField>} */
const MAKERS = {
  text: textField,
  number: numberField,
  boolean: booleanField,
  constant: constantField,
  choice: choiceField,
  file: fileField,
  list: listField,
  object: objectField,
  union: unionField,
  json: jsonField,
};

/**
 * Create the field at `path` for `schema`, whose references are looked up in `root`.
 * @param {string} path
 * @param {Schema} schema
 * @param {Schema} root
 * @param {{ isRequired?: boolean, isMarked?: boolean }} [how]
 * @returns {FormField}
 */
export function createField(path, schema, root, { isRequired = false, isMarked = isRequired } = {}) {
  const spec = fieldOf(schema, root, path.split(".").at(-1));
  const { default: given } = spec.schema;
  const isSet = given !== undefined && given !== null;
  const canBeNull = spec.nullable && (isRequired || isSet);
  const at = { path, spec, root, isRequired, isMarked, canBeNull };
  const isOptional =
    (spec.kind === "object" && !isSet && (!isRequired || spec.nullable)) ||
    (spec.kind === "list" && !isSet && canBeNull);
  const maker = isOptional ? optionalField : /** @type {(at: At) => FormField} */ (MAKERS[spec.kind]);
  const field = maker(at);
  if (isSet) field.write(given);
  return field;
}

/**
 * The last step of a path: a field's name, or an item's index, counted from 0 as in the server's errors.
 * @param {string} path
 */
export function labelOf(path) {
  const step = path.split(".").at(-1) ?? "";
  return /^\d+$/.test(step) ? `[${step}]` : step;
}

/** @param {At} at */
export const markOf = ({ isMarked }) => isMarked && el("span", { class: "field-required", text: "required" });

/** The description of a field; shown once for a list's items. @param {At} at */
export const helpOf = ({ path, spec }) =>
  spec.schema.description && !/\.[1-9]\d*$/.test(path)
    ? el("p", { class: "field-help" }, ...withCode(spec.schema.description))
    : null;

/**
 * The frame around a control: its name, its type, its description, its errors.
 * @param {At} at
 * @param {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} control
 * @param {{ read: (errors: Errors, path: string) => unknown, write: (value: any) => void, isBare?: boolean, more?: HTMLElement }} how
 * @returns {FormField}
 */
function framed(at, control, { read, write, isBare = false, more }) {
  const name = el("span", { class: "field-name" });
  const label = el("label", {}, name);
  const none = at.canBeNull && at.spec.kind !== "choice" && at.spec.kind !== "boolean" ? nullBox(control) : null;
  const tip = el("span", { class: "field-hint", text: hint(at.spec.schema, at.root) });
  const head = el("div", { class: "field-head" }, isBare && control, label, markOf(at), tip, none?.element);
  const error = el("p", { class: "field-error", hidden: true });
  const body = isBare ? null : control;
  const element = el("div", { class: `field field-${at.spec.kind}` }, head, body, more, helpOf(at), error);
  if (at.isRequired) control.setAttribute("aria-required", "true");
  const rename = (/** @type {string} */ to) => {
    name.textContent = labelOf(to);
    control.name = element.dataset.path = to;
    control.id = label.htmlFor = `field-${to}`;
    error.id = `error-${to}`;
    control.setAttribute("aria-describedby", error.id);
    none?.rename(to);
  };
  rename(at.path);
  return {
    element,
    rename,
    read: (errors) => (none?.isOn ? null : read(errors, element.dataset.path ?? "")),
    write: (value) => {
      none?.set(value === null);
      if (value !== null) write(value);
    },
  };
}

/**
 * A checkbox that sets a field to null.
 * @param {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} control
 */
function nullBox(control) {
  const box = el("input", { type: "checkbox" });
  box.addEventListener("change", () => (control.disabled = box.checked));
  return {
    element: el("label", { class: "field-null" }, box, "null"),
    /** @param {string} path */
    rename: (path) => box.setAttribute("aria-label", `${path} is null`),
    /** @param {boolean} isNull */
    set: (isNull) => void (control.disabled = box.checked = isNull),
    get isOn() {
      return box.checked;
    },
  };
}

/** @param {At} at */
function textField(at) {
  const { spec } = at;
  const [example] = spec.schema.examples ?? [];
  const props = {
    autocomplete: "off",
    spellcheck: "false",
    placeholder: example === undefined ? null : String(example),
  };
  const control = spec.isLong
    ? el("textarea", { ...props, rows: 3 })
    : el("input", { ...props, type: spec.input, step: spec.input === "text" ? null : "any" });
  const isMoment = spec.input === "datetime-local";
  // A cleared text is an empty text; left out, it would be the default again.
  const nothing = spec.input === "text" && spec.schema.default ? "" : undefined;
  return framed(at, control, {
    read: () => (control.value === "" ? nothing : isMoment ? new Date(control.value).toISOString() : control.value),
    write: (value) => (control.value = isMoment ? localMoment(value) : value),
  });
}

/** A moment as `datetime-local` wants it: in this browser's zone, without saying so. @param {string} value */
function localMoment(value) {
  const moment = new Date(value);
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** @param {At} at */
function numberField(at) {
  const { minimum, maximum, multipleOf, type } = at.spec.schema;
  const isInteger = type === "integer";
  const control = el("input", {
    type: "number",
    step: multipleOf ?? (isInteger ? 1 : "any"),
    min: minimum,
    max: maximum,
    inputmode: isInteger ? "numeric" : "decimal",
  });
  return framed(at, control, {
    read: (errors, path) => {
      if (control.validity.badInput) errors[path] = ["Enter a number."];
      if (control.value === "") return undefined;
      const value = Number(control.value);
      // An integer beyond 2^53 is sent as text, which the server reads exactly; a number would lose its last digits.
      return isInteger && !Number.isSafeInteger(value) ? control.value : value;
    },
    write: (value) => (control.value = value),
  });
}

/** @param {At} at */
function booleanField(at) {
  if (at.spec.nullable) return choiceField({ ...at, spec: { ...at.spec, kind: "choice", options: [true, false] } });
  const control = el("input", { type: "checkbox", role: "switch" });
  return framed(at, control, {
    read: () => control.checked,
    write: (value) => (control.checked = value),
    isBare: true,
  });
}

/** A value that cannot be another. @param {At} at */
function constantField(at) {
  const { value } = at.spec;
  return grouped(at, el("code", { class: "constant", text: JSON.stringify(value) }), {
    rename: () => {},
    read: () => value,
    write: () => {},
  });
}

/** @param {At} at */
function choiceField(at) {
  const options = at.canBeNull ? [...at.spec.options, null] : at.spec.options;
  const control = el(
    "select",
    {},
    el("option", { value: "", text: at.isRequired ? "Choose…" : "not set" }),
    ...options.map((/** @type {unknown} */ option, /** @type {number} */ index) =>
      el("option", { value: String(index), text: String(option) }),
    ),
  );
  const write = (/** @type {unknown} */ value) => (control.value = String(options.indexOf(value)));
  const field = framed(at, control, {
    read: () => (control.value === "" ? undefined : options[Number(control.value)]),
    write,
  });
  return { ...field, write };
}

/** @param {At} at */
function fileField(at) {
  const control = el("input", { type: "file", multiple: at.spec.multiple });
  const chosen = el("ul", { class: "field-files" });
  control.addEventListener("change", () => {
    const files = [...(control.files ?? [])];
    chosen.replaceChildren(...files.map((file) => el("li", { text: `${file.name} · ${bytes(file.size)}` })));
  });
  return framed(at, control, {
    read: () => (control.files?.length ? (at.spec.multiple ? [...control.files] : control.files[0]) : undefined),
    write: () => {}, // a page cannot choose a file
    more: chosen,
  });
}

/** @param {At} at */
function jsonField(at) {
  const control = el("textarea", { rows: 3, class: "code", spellcheck: "false", placeholder: "JSON" });
  const field = framed({ ...at, canBeNull: false }, control, {
    read: (errors, path) => {
      if (control.value.trim() === "") return undefined;
      try {
        return JSON.parse(control.value);
      } catch (reason) {
        errors[path] = [`This is not JSON: ${/** @type {Error} */ (reason).message}`];
        return undefined;
      }
    },
    write: () => {},
  });
  return { ...field, write: (/** @type {unknown} */ value) => (control.value = JSON.stringify(value, null, 2)) };
}
