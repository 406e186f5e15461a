/** The form of one action: its fields, its errors, and an editor for the whole input as JSON. */

import { el } from "./dom.js";
import { createField } from "./fields.js";
import { placeOfError } from "./fielderror.js";
import { Memory } from "./memory.js";
import { fieldOf, resolve } from "./schema.js";

/**
 * @typedef {import("./fields.js").Errors} Errors
 * @typedef {import("./fields.js").FormField} FormField
 * @typedef {{ input: Record<string, unknown>, errors: Errors }} Reading
 */

export class ActionForm {
  #schema;
  /** @type {[string, FormField][]} */
  #fields = [];
  #body = el("div", { class: "form-fields" });
  #errors = el("div", { class: "form-errors", role: "alert", hidden: true });
  #json = el("textarea", {
    class: "code",
    name: "_root",
    rows: 10,
    spellcheck: "false",
    "aria-label": "Input as JSON",
  });
  #mode = el("button", { type: "button", class: "quiet", text: "Edit as JSON" });
  #reset = el("button", { type: "button", class: "quiet", text: "Reset", title: "Back to the action's defaults" });
  #detached = el("input", { type: "checkbox", id: "detached" });
  #isJson = false;
  #onChange;
  #memory;

  /**
   * @param {import("./actions.js").ActionInfo} action
   * @param {{ onSubmit: (input: Record<string, unknown>) => void, onChange: () => void }} listeners `onSubmit` is called with a readable input.
   */
  constructor(action, { onSubmit, onChange }) {
    this.#schema = { ...action.input, ...resolve(action.input, action.input) }; // an input that contains itself is a reference
    this.#onChange = onChange;
    this.#isJson = !this.#schema.properties;
    this.#isJson = !this.#schema.properties;
    this.#memory = new Memory(action.name, this.#schema);
    const { input, isDetached } = this.#memory.recall();
    this.#fill(input);
    this.#detached.checked = isDetached;
    const fields = Object.values(this.#schema.properties ?? {});
    const hasFiles = fields.some((field) => fieldOf(field, this.#schema).kind === "file");
    this.#mode.hidden = fields.length === 0 || hasFiles;
    this.element = el(
      "form",
      { id: "action-form", novalidate: true, autocomplete: "off" },
      this.#errors,
      this.#body,
      this.#foot(action),
    );
    this.#mode.addEventListener("click", () => this.#toggle());
    this.#reset.addEventListener("click", () => this.#clear());
    for (const type of ["input", "change"]) this.element.addEventListener(type, () => this.#changed());
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(onSubmit);
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.element.requestSubmit();
    });
    this.#render();
  }

  /** Whether the run is started detached. */
  get isDetached() {
    return this.#detached.checked;
  }

  /** Focus the first control. */
  focus() {
    /** @type {HTMLElement | null} */ (this.element.querySelector("input, select, textarea, button"))?.focus();
  }

  /** The current input, and by path the parts that are not valid values. @returns {Reading} */
  read() {
    /** @type {Errors} */
    const errors = {};
    if (this.#isJson) return { input: this.#parsed(errors), errors };
    const values = this.#fields.map(([name, field]) => [name, field.read(errors)]);
    return { input: Object.fromEntries(values.filter(([, value]) => value !== undefined)), errors };
  }

  /**
   * Show messages next to their fields; those without a field are shown above all fields.
   * @param {Readonly<Record<string, readonly string[]>> | null | undefined} fieldErrors
   */
  showErrors(fieldErrors) {
    this.clearErrors();
    /** @type {string[]} */
    const general = [];
    const fields = this.#byPath();
    const found = Object.entries(fieldErrors ?? {}).map(([path, messages]) => ({
      ...placeOfError(path, (at) => fields.get(at)?.map(unionOf).find(Boolean) ?? (fields.has(at) ? [] : undefined)),
      messages,
    }));
    for (const { at, rest, isOther, messages } of found) {
      const field = fields.get(at)?.at(-1);
      // Messages about a union's other types are noise, if there is one about the chosen type.
      if (isOther && found.some((one) => !one.isOther && isWithin(one.at, at))) continue;
      if (field) mark(field, rest, messages);
      else general.push(...messages.map((message) => (rest === "_root" ? message : `${rest}: ${message}`)));
    }
    this.#errors.replaceChildren(...general.map((text) => el("p", { text })));
    this.#errors.hidden = general.length === 0;
    /** @type {HTMLElement | null} */ (this.element.querySelector('[aria-invalid="true"]'))?.focus();
  }

  /** Put an input into the form, in place of what it has. @param {Record<string, unknown>} input */
  write(input) {
    this.clearErrors();
    this.#fill(input);
    this.#render();
    this.#changed();
  }

  clearErrors() {
    this.#errors.hidden = true;
    for (const slot of this.element.querySelectorAll(".field-error")) slot.toggleAttribute("hidden", true);
    for (const control of this.element.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
  }

  /** @param {import("./actions.js").ActionInfo} action */
  #foot({ method }) {
    const run = el("button", {
      id: "run",
      type: "submit",
      class: "primary",
      title: "Ctrl+Enter",
      text: method === "GET" ? "Open" : "Run",
    });
    const title = "The run keeps running without readers, also when this page is closed";
    const detached = method === "GET" ? null : el("label", { class: "detached", title }, this.#detached, "Detached");
    return el("div", { class: "form-foot" }, run, detached, el("span", { class: "form-verbs" }, this.#reset, this.#mode));
  }

  #makeFields() {
    const { properties = {}, required = [] } = this.#schema;
    this.#fields = Object.entries(properties).map(([name, field]) => [
      name,
      createField(name, field, this.#schema, { isRequired: required.includes(name) }),
    ]);
  }

  /** The fields at each path, the innermost last: a union and its chosen type share one. */
  #byPath() {
    /** @type {Map<string, HTMLElement[]>} */
    const fields = new Map();
    for (const field of this.#body.querySelectorAll("[data-path]")) {
      if (!(field instanceof HTMLElement)) continue;
      const path = field.dataset.path ?? "";
      fields.set(path, [...(fields.get(path) ?? []), field]);
    }
    return fields;
  }

  /** @param {(input: Record<string, unknown>) => void} onSubmit */
  #submit(onSubmit) {
    const { input, errors } = this.read();
    this.clearErrors();
    if (Object.keys(errors).length) this.showErrors(errors);
    else onSubmit(input);
  }

  /** @param {Errors} errors */
  #parsed(errors) {
    try {
      return JSON.parse(this.#json.value.trim() || "{}");
    } catch (reason) {
      errors._root = [`This is not JSON: ${/** @type {Error} */ (reason).message}`];
      return {};
    }
  }

  #toggle() {
    const { input, errors } = this.read();
    if (Object.keys(errors).length) return this.showErrors(errors);
    this.#isJson = !this.#isJson;
    this.write(input);
  }

  #clear() {
    this.#detached.checked = false;
    this.write({});
    this.#memory.forget();
  }

  /** Keep what can be read, and tell about it. */
  #changed() {
    const { input, errors } = this.read();
    if (Object.keys(errors).length === 0) this.#memory.keep(input, this.isDetached);
    this.#onChange();
  }

  /** @param {Record<string, unknown>} input */
  #fill(input) {
    this.#json.value = JSON.stringify(input, null, 2);
    this.#makeFields();
    for (const [name, field] of this.#fields) if (input[name] !== undefined) fill(field, input[name]);
  }

  #render() {
    this.#mode.textContent = this.#isJson ? "Edit as form" : "Edit as JSON";
    const nothing = el("p", { class: "empty-note", text: "This action takes no input." });
    const fields = this.#fields.length ? this.#fields.map(([, field]) => field.element) : [nothing];
    const hasOwnShape = !this.#schema.properties && this.#schema.type !== "object";
    this.#body.replaceChildren(...(this.#isJson && (this.#fields.length || hasOwnShape) ? [this.#json] : fields));
  }
}

/** @param {FormField} field @param {unknown} value */
function fill(field, value) {
  try {
    field.write(value);
  } catch {
    // It is of an earlier version of the action, and has another shape.
  }
}

/** @param {HTMLElement} field @returns {string[] | undefined} */
const unionOf = ({ dataset }) => (dataset.union === undefined ? undefined : JSON.parse(dataset.union));

/** @param {string} path @param {string} around */
const isWithin = (path, around) => path === around || path.startsWith(`${around}.`);

/** @param {HTMLElement} field @param {string} rest @param {readonly string[]} messages */
function mark(field, rest, messages) {
  const slot = /** @type {HTMLElement} */ (field.querySelector(":scope > .field-error"));
  const text = messages.map((message) => (rest ? `${rest}: ${message}` : message)).join("\n");
  slot.textContent = slot.hidden ? text : `${slot.textContent}\n${text}`;
  slot.hidden = false;
  const control = field.querySelector(`[name="${CSS.escape(field.dataset.path ?? "")}"]`);
  (control ?? field.querySelector(".union-choice"))?.setAttribute("aria-invalid", "true");
}
