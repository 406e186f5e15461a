/** The form of one action: its fields, its errors, and the whole input as JSON for whom fields are in the way. */

import { el } from "./dom.js";
import { createField } from "./fields.js";
import { fieldOf } from "./schema.js";

export class ActionForm {
  #fields;
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
  #isJson = false;

  /** `onSubmit(input)` is called with a readable input, `onChange()` after every change. */
  constructor(action, { onSubmit, onChange }) {
    const schema = action.input ?? {};
    this.action = action;
    this.#isJson = !schema.properties;
    this.#fields = Object.entries(schema.properties ?? {}).map(([name, field]) => [
      name,
      createField(name, field, schema, { isRequired: schema.required?.includes(name) ?? false }),
    ]);
    const hasFiles = Object.values(schema.properties ?? {}).some((field) => fieldOf(field, schema).kind === "file");
    const canToggle = this.#fields.length > 0 && !hasFiles;
    const run = el("button", {
      id: "run",
      type: "submit",
      class: "primary",
      text: action.method === "GET" ? "Open" : "Run",
    });
    const keys = el(
      "span",
      { class: "field-hint keys" },
      el("kbd", { text: "Ctrl" }),
      " ",
      el("kbd", { text: "Enter" }),
    );
    const foot = el("div", { class: "form-foot" }, run, keys, canToggle ? this.#mode : null);
    this.element = el(
      "form",
      { id: "action-form", novalidate: true, autocomplete: "off" },
      this.#errors,
      this.#body,
      foot,
    );
    this.#mode.addEventListener("click", () => this.#toggle(onChange));
    this.element.addEventListener("input", onChange);
    this.element.addEventListener("change", onChange);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(onSubmit);
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.element.requestSubmit();
    });
    this.#render();
  }

  /** The input as it stands, and by path what this page cannot make a value of. */
  read() {
    const errors = {};
    if (this.#isJson) return { input: this.#parsed(errors), errors };
    const values = this.#fields.map(([name, field]) => [name, field.read(errors)]);
    return { input: Object.fromEntries(values.filter(([, value]) => value !== undefined)), errors };
  }

  /** Show messages beside the fields they are about; those that belong to no field stand above them all. */
  showErrors(fieldErrors) {
    this.clearErrors();
    const general = [];
    for (const [path, messages] of Object.entries(fieldErrors ?? {})) {
      const field = this.#nearest(path);
      if (field) this.#mark(field, path, messages);
      else general.push(...messages.map((message) => (path === "_root" ? message : `${path}: ${message}`)));
    }
    this.#errors.replaceChildren(...general.map((text) => el("p", { text })));
    this.#errors.hidden = general.length === 0;
    this.element.querySelector('[aria-invalid="true"]')?.focus();
  }

  clearErrors() {
    this.#errors.hidden = true;
    for (const slot of this.element.querySelectorAll(".field-error")) slot.hidden = true;
    for (const control of this.element.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
  }

  /** The field at a path, or the one around it: a union's errors name the member too, as in `via.int`. */
  #nearest(path) {
    const fields = [...this.#body.querySelectorAll("[data-path]")];
    for (let steps = path.split("."); steps.length; steps = steps.slice(0, -1)) {
      const found = fields.filter((field) => field.dataset.path === steps.join(".")).at(-1);
      if (found) return found;
    }
    return null;
  }

  #mark(field, path, messages) {
    const slot = field.querySelector(":scope > .field-error");
    const rest = path.slice(field.dataset.path.length + 1);
    const text = messages.map((message) => (rest ? `${rest}: ${message}` : message)).join("\n");
    slot.textContent = slot.hidden ? text : `${slot.textContent}\n${text}`;
    slot.hidden = false;
    field.querySelector(`[name="${CSS.escape(field.dataset.path)}"]`)?.setAttribute("aria-invalid", "true");
  }

  #submit(onSubmit) {
    const { input, errors } = this.read();
    this.clearErrors();
    if (Object.keys(errors).length) this.showErrors(errors);
    else onSubmit(input);
  }

  #parsed(errors) {
    try {
      return JSON.parse(this.#json.value.trim() || "{}");
    } catch (reason) {
      errors._root = [`This is not JSON: ${reason.message}`];
      return {};
    }
  }

  #toggle(onChange) {
    const { input, errors } = this.read();
    if (Object.keys(errors).length) return this.showErrors(errors);
    this.#isJson = !this.#isJson;
    if (this.#isJson) this.#json.value = JSON.stringify(input, null, 2);
    else
      for (const [name, field] of this.#fields)
        if (input?.[name] !== undefined && input[name] !== null) field.write(input[name]);
    this.#render();
    onChange();
  }

  #render() {
    this.#mode.textContent = this.#isJson ? "Edit as form" : "Edit as JSON";
    const nothing = el("p", { class: "empty-note", text: "This action takes no input." });
    const fields = this.#fields.length ? this.#fields.map(([, field]) => field.element) : [nothing];
    const hasOwnShape = !this.action.input?.properties && this.action.input?.type !== "object";
    this.#body.replaceChildren(...(this.#isJson && (this.#fields.length || hasOwnShape) ? [this.#json] : fields));
  }
}
