/**
 * The forms' values, kept in this browser over reloads and restarts of the server.
 *
 * Each value is kept with the schema of its field, and is forgotten when that has changed. Passwords and files are not
 * kept.
 */

import { isEqual } from "./format.js";

/**
 * @typedef {import("./schema.js").Schema} Schema
 * @typedef {{ definitions: unknown, properties: Record<string, unknown>, input: Record<string, unknown>, isDetached: boolean }} Kept
 */

/** Keeps the values of one action's form. */
export class Memory {
  #key;
  #schema;

  /** @param {string} name @param {Schema} schema */
  constructor(name, schema) {
    this.#key = `yieldwire-form ${new URL(".", import.meta.url).pathname} ${name}`;
    this.#schema = schema;
  }

  /** @returns {{ input: Record<string, unknown>, isDetached: boolean }} */
  recall() {
    /** @type {Partial<Kept>} */
    const kept = JSON.parse(localStorage.getItem(this.#key) ?? "{}");
    const { $defs, properties = {} } = this.#schema;
    const isSame = (/** @type {string} */ name) =>
      isEqual(kept.definitions, $defs) && isEqual(kept.properties?.[name], properties[name]);
    const entries = Object.entries(kept.input ?? {}).filter(([name]) => isSame(name));
    return { input: Object.fromEntries(entries), isDetached: kept.isDetached ?? false };
  }

  /** @param {Record<string, unknown>} input @param {boolean} isDetached */
  keep(input, isDetached) {
    const { $defs: definitions, properties } = this.#schema;
    const kept = Object.entries(input).filter(([name]) => !isSecret(properties?.[name], definitions));
    const value = { definitions, properties, input: Object.fromEntries(kept), isDetached };
    try {
      localStorage.setItem(this.#key, JSON.stringify(value));
    } catch {
      this.forget(); // it is larger than what a browser keeps
    }
  }

  forget() {
    localStorage.removeItem(this.#key);
  }
}

/** Whether a field holds, at any depth, what is not to be kept. @param {Schema} property @param {unknown} definitions */
function isSecret(property, definitions) {
  const text = JSON.stringify(property) ?? "";
  const whole = text.includes('"$ref"') ? text + JSON.stringify(definitions) : text;
  return whole.includes('"format":"password"') || whole.includes('"format":"binary"');
}
