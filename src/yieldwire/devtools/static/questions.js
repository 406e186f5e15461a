/** The open questions of a run, each with a form made from the schema of its answer. */

import { el } from "./dom.js";
import { createField } from "./fields.js";
import { fieldOf, resolve } from "./schema.js";
import { ValueBox } from "./valuebox.js";

/**
 * @typedef {import("../client.js").Question} Question
 * @typedef {import("./fields.js").Errors} Errors
 * @typedef {import("./fields.js").FormField} FormField
 * @typedef {(question: Question, value: unknown) => Promise<void>} Answer
 */

const FEW = 5; // choices, of which each gets a button

export class Questions {
  element = el("div", { class: "questions", data: { role: "questions" }, hidden: true });
  #answer;
  /** @type {Map<string, { question: Question, element: HTMLElement }>} */
  #boxes = new Map();

  /** @param {Answer} answer */
  constructor(answer) {
    this.#answer = answer;
  }

  /** Show these questions. A box that is shown already keeps what was written in it. @param {readonly Question[]} open */
  show(open) {
    const ids = new Set(open.map(({ id }) => id));
    for (const [id, { element }] of this.#boxes) {
      if (ids.has(id)) continue;
      element.remove();
      this.#boxes.delete(id);
    }
    for (const question of open) {
      const known = this.#boxes.get(question.id);
      if (known?.question === question) continue;
      const element = questionBox(question, this.#answer);
      if (known) known.element.replaceWith(element);
      else this.element.append(element);
      this.#boxes.set(question.id, { question, element });
    }
    this.element.hidden = this.#boxes.size === 0;
  }
}

/** @param {Question} question @param {Answer} answer */
function questionBox(question, answer) {
  const error = el("p", { class: "field-error", role: "alert", hidden: true });
  const choices = choicesOf(question);
  const fields = choices.length ? [] : fieldsOf(question);
  const buttons = choices.length
    ? choices.map((value) => el("button", { value: JSON.stringify(value), text: wordOf(value) }))
    : [el("button", { class: "primary", text: "Answer" })];
  const form = el(
    "form",
    { novalidate: true, autocomplete: "off", "aria-label": question.prompt },
    el("h3", { text: question.prompt }),
    detailOf(question),
    ...fields.map(([, field]) => field.element),
    error,
    el("div", { class: "form-foot" }, ...buttons),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { submitter } = /** @type {SubmitEvent} */ (event);
    const chosen = submitter instanceof HTMLButtonElement ? submitter.value : "";
    void send(chosen ? { value: JSON.parse(chosen), errors: {} } : read(question, fields));
  });

  /** @param {{ value: unknown, errors: Errors }} reading */
  async function send({ value, errors }) {
    const wrong = Object.entries(errors).map(([path, messages]) => [path.split(".").slice(1).join("."), ...messages]);
    const told = wrong.length ? linesOf(wrong) : await answer(question, value).then(() => "", reasonOf);
    error.textContent = told;
    error.hidden = !told;
  }

  return el("section", { class: "question", data: { role: "question", question: question.id } }, form);
}

/** What is wrong with an answer, a line for each field. @param {import("../client.js").ActionError} reason */
function reasonOf({ message, fieldErrors }) {
  const wrong = Object.entries(fieldErrors ?? {}).map(([path, messages]) => [path, ...(messages ?? [])]);
  return wrong.length ? linesOf(wrong) : message;
}

/** @param {string[][]} wrong */
const linesOf = (wrong) =>
  wrong.map(([path, ...messages]) => (path === "_root" ? "" : `${path}: `) + messages.join(" ")).join("\n");

/** @param {Question} question */
function detailOf({ detail }) {
  if (detail === undefined || detail === null) return null;
  const box = new ValueBox("Detail", "detail");
  box.set(detail);
  return box.element;
}

/** Whether the answer is an object, whose properties are the form's fields. @param {Question} question */
const isObject = ({ schema }) => fieldOf(schema, schema).kind === "object";

/** The fields by their names; an answer that is not an object is the field `value`. @param {Question} question @returns {[string, FormField][]} */
function fieldsOf(question) {
  const { id, schema } = question;
  const root = `answer-${id.replaceAll(".", "-")}`; // the form of the action has ids of its own
  if (!isObject(question)) return [["value", createField(`${root}.value`, schema, schema, { isRequired: true })]];
  const { properties = {}, required = [] } = resolve(schema, schema);
  return Object.entries(properties).map(([name, field]) => [
    name,
    createField(`${root}.${name}`, /** @type {any} */ (field), schema, { isRequired: required.includes(name) }),
  ]);
}

/** @param {Question} question @param {[string, FormField][]} fields */
function read(question, fields) {
  /** @type {Errors} */
  const errors = {};
  const read = fields.map(([name, field]) => /** @type {const} */ ([name, field.read(errors)]));
  const values = Object.fromEntries(read.filter(([, value]) => value !== undefined));
  return { value: isObject(question) ? values : values.value, errors };
}

/** The values of which the answer is one, if they are few. @param {Question} question @returns {unknown[]} */
function choicesOf({ schema }) {
  const { type, enum: values = [] } = resolve(schema, schema);
  const choices = type === "boolean" ? [true, false] : values;
  return choices.length > 1 && choices.length <= FEW ? choices : [];
}

/** @param {unknown} value */
function wordOf(value) {
  if (typeof value === "boolean") return value ? "Yes" : "No";
  return typeof value === "string" ? value : JSON.stringify(value);
}
