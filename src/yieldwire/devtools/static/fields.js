/**
 * One control for one place of the input, made from its JSON Schema.
 *
 * A field is `{element, rename(path), read(errors), write(value)}`. `read` returns undefined for a field that is left
 * out, and puts into `errors`, by path, what this page itself cannot make a value of. The controls' names are the paths
 * that the server's `fieldErrors` use: `page`, `stops.0.city`.
 */

import { el } from "./dom.js";
import { fieldOf, hint } from "./schema.js";

const MAKERS = {
  text: textField,
  number: numberField,
  boolean: booleanField,
  choice: choiceField,
  file: fileField,
  list: listField,
  object: objectField,
  json: jsonField,
};

/** Make the field at `path` for `schema`, whose references are looked up in `root`. */
export function createField(path, schema, root, { isRequired = false, isMarked = isRequired } = {}) {
  const spec = fieldOf(schema, root, path.split(".").at(-1));
  const isSet = isRequired || (spec.schema.default !== undefined && spec.schema.default !== null);
  const maker = spec.kind === "object" && !isSet ? optionalField : MAKERS[spec.kind];
  const field = maker({ path, spec, root, isRequired, isMarked });
  if (spec.schema.default !== undefined && spec.schema.default !== null) field.write(spec.schema.default);
  else if ("const" in spec.schema) field.write(spec.schema.const);
  return field;
}

/** The last step of a path: a field's name, or an item's place counted from 0 as in the server's errors. */
function labelOf(path) {
  const step = path.split(".").at(-1);
  return /^\d+$/.test(step) ? `[${step}]` : step;
}

/** The frame around a control: its name, what it takes, its description, its errors. */
function framed({ path, spec, root, isRequired, isMarked }, control, { read, write, isBare = false }) {
  const name = el("span", { class: "field-name" });
  const label = el("label", {}, name);
  const mark = isMarked ? el("span", { class: "field-required", text: "required" }) : null;
  const head = el(
    "div",
    { class: "field-head" },
    label,
    mark,
    el("span", { class: "field-hint", text: hint(spec.schema, root) }),
  );
  const description = spec.schema.description ? el("p", { class: "field-help", text: spec.schema.description }) : null;
  const error = el("p", { class: "field-error", hidden: true });
  const element = el("div", { class: `field field-${spec.kind}` }, head, isBare ? null : control, description, error);
  if (isBare) head.prepend(control);
  if (isRequired) control.setAttribute("aria-required", "true");
  const rename = (to) => {
    name.textContent = labelOf(to);
    control.name = element.dataset.path = to;
    control.id = label.htmlFor = `field-${to}`;
    error.id = `error-${to}`;
    control.setAttribute("aria-describedby", error.id);
  };
  rename(path);
  return { element, rename, read: (errors) => read(errors, element.dataset.path), write };
}

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
  return framed(at, control, {
    read: () => (control.value === "" ? undefined : isMoment ? new Date(control.value).toISOString() : control.value),
    write: (value) => (control.value = isMoment ? localMoment(value) : value),
  });
}

/** A moment as `datetime-local` wants it: in this browser's zone, without saying so. */
function localMoment(value) {
  const moment = new Date(value);
  return new Date(moment - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

function numberField(at) {
  const { minimum, maximum, multipleOf, type } = at.spec.schema;
  const step = multipleOf ?? (type === "integer" ? 1 : "any");
  const control = el("input", {
    type: "number",
    step,
    min: minimum,
    max: maximum,
    inputmode: type === "integer" ? "numeric" : "decimal",
  });
  return framed(at, control, {
    // An integer beyond 2^53 goes as text, which the server reads exactly; a number would lose its last digits.
    read: () =>
      control.value === ""
        ? undefined
        : type === "integer" && !Number.isSafeInteger(Number(control.value))
          ? control.value
          : Number(control.value),
    write: (value) => (control.value = value),
  });
}

function booleanField(at) {
  if (at.spec.nullable) return choiceField({ ...at, spec: { ...at.spec, options: [true, false] } });
  const control = el("input", { type: "checkbox", role: "switch" });
  return framed(at, control, {
    read: () => control.checked,
    write: (value) => (control.checked = value),
    isBare: true,
  });
}

function choiceField(at) {
  const { options } = at.spec;
  const nothing = el("option", { value: "", text: at.isRequired ? "Choose…" : "not set" });
  const control = el(
    "select",
    {},
    nothing,
    ...options.map((option, place) => el("option", { value: place, text: String(option) })),
  );
  return framed(at, control, {
    read: () => (control.value === "" ? undefined : options[Number(control.value)]),
    write: (value) => (control.value = String(options.indexOf(value))),
  });
}

function fileField(at) {
  const control = el("input", { type: "file", multiple: at.spec.multiple });
  return framed(at, control, {
    read: () => (control.files.length === 0 ? undefined : at.spec.multiple ? [...control.files] : control.files[0]),
    write: () => {}, // a page cannot choose a file
  });
}

function jsonField(at) {
  const control = el("textarea", { rows: 3, class: "code", spellcheck: "false", placeholder: "JSON" });
  return framed(at, control, {
    read: (errors, path) => {
      if (control.value.trim() === "") return undefined;
      try {
        return JSON.parse(control.value);
      } catch (reason) {
        errors[path] = [`This is not JSON: ${reason.message}`];
        return undefined;
      }
    },
    write: (value) => (control.value = JSON.stringify(value, null, 2)),
  });
}

/** The frame around several fields. */
function grouped({ path, spec, root, isMarked }, body, { rename, read, write }) {
  const name = el("span", { class: "field-name" });
  const mark = isMarked ? el("span", { class: "field-required", text: "required" }) : null;
  const legend = el("legend", {}, name, mark, el("span", { class: "field-hint", text: hint(spec.schema, root) }));
  const description = spec.schema.description ? el("p", { class: "field-help", text: spec.schema.description }) : null;
  const element = el(
    "fieldset",
    { class: `field field-${spec.kind}` },
    legend,
    description,
    body,
    el("p", { class: "field-error", hidden: true }),
  );
  const renameAll = (to) => {
    name.textContent = labelOf(to);
    element.dataset.path = to;
    rename(to);
  };
  renameAll(path);
  return { element, rename: renameAll, read, write };
}

function objectField(at) {
  const { spec, path, root } = at;
  const fields = spec.fields.map(([name, schema]) => [
    name,
    createField(`${path}.${name}`, schema, root, { isRequired: spec.required.includes(name) }),
  ]);
  return grouped(at, el("div", { class: "field-group" }, ...fields.map(([, field]) => field.element)), {
    rename: (to) => fields.forEach(([name, field]) => field.rename(`${to}.${name}`)),
    read: (errors) =>
      Object.fromEntries(
        fields.map(([name, field]) => [name, field.read(errors)]).filter(([, value]) => value !== undefined),
      ),
    write: (value) =>
      fields.forEach(([name, field]) => value[name] !== undefined && value[name] !== null && field.write(value[name])),
  });
}

/** An object that may be left out: its fields are made when it is added, so that a schema may contain itself. */
function optionalField(at) {
  let path = at.path;
  let inner = null;
  const place = el("div", {});
  const toggle = el("button", { type: "button", class: "quiet" });
  const set = (isWanted) => {
    inner = isWanted ? objectField({ ...at, path }) : null;
    inner?.element.classList.add("is-inner");
    place.replaceChildren(...(inner ? [inner.element] : []));
    toggle.textContent = inner ? "Leave it out" : "Add";
  };
  toggle.addEventListener("click", () => {
    set(inner === null);
    toggle.dispatchEvent(new Event("change", { bubbles: true }));
  });
  set(false);
  return grouped(at, el("div", { class: "field-group" }, place, toggle), {
    rename: (to) => {
      path = to;
      inner?.rename(to);
    },
    read: (errors) => inner?.read(errors),
    write: (value) => {
      set(true);
      inner.write(value);
    },
  });
}

function listField(at) {
  let path = at.path;
  let items = [];
  const place = el("ol", { class: "field-items" });
  const rename = (to) => {
    path = to;
    items.forEach(({ field }, position) => field.rename(`${to}.${position}`));
  };
  const changed = () => place.dispatchEvent(new Event("change", { bubbles: true }));
  const add = () => {
    const field = createField(`${path}.${items.length}`, at.spec.items, at.root, { isRequired: true, isMarked: false });
    const remove = el("button", { type: "button", class: "quiet", text: "Remove", "aria-label": "Remove this item" });
    const row = { field, element: el("li", {}, field.element, remove) };
    remove.addEventListener("click", () => {
      items = items.filter((item) => item !== row);
      row.element.remove();
      rename(path);
      changed();
    });
    items.push(row);
    place.append(row.element);
    return field;
  };
  const more = el("button", { type: "button", class: "quiet", text: "Add an item" });
  more.addEventListener("click", () => {
    add().element.querySelector("input, select, textarea")?.focus();
    changed();
  });
  return grouped(at, el("div", { class: "field-group" }, place, more), {
    rename,
    read: (errors) => {
      const values = items.map(({ field }) => field.read(errors) ?? null);
      return values.length === 0 && !at.isRequired ? undefined : values;
    },
    write: (values) => {
      items = [];
      place.replaceChildren();
      for (const value of values) add().write(value);
    },
  });
}
