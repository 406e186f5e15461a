/** A call as code: in TypeScript, in Python. Pure. */

const INDENT = "  ";

/**
 * @typedef {object} Call
 * @property {string} url Where the actions are mounted.
 * @property {string} name
 * @property {string} alias
 * @property {boolean} streams
 * @property {Record<string, unknown>} input
 * @property {boolean} [isFeed] Whether it is started by GET.
 * @property {boolean} isDetached
 * @property {boolean} isAuthorized
 */

/** The call in TypeScript. @param {Call} call */
export function typescriptOf({ url, alias, streams, input, isDetached, isAuthorized }) {
  const token = isAuthorized ? ", token" : "";
  const action = /^[A-Za-z_$][\w$]*$/.test(alias) ? `actions.${alias}` : `actions[${JSON.stringify(alias)}]`;
  const body = Object.keys(input).length ? typescript(input, "", filesOf(input)) : "";
  return [
    'import { createClient } from "yieldwire";',
    'import type { Actions } from "./actions.gen";',
    "",
    `const actions = createClient<Actions>({ url: ${JSON.stringify(url)}${token} });`,
    `const run = ${isDetached ? `await ${action}.start` : action}(${body});`,
    ...(streams ? ["for await (const chunk of run) console.log(chunk);"] : []),
    "console.log(await run.result());",
  ].join("\n");
}

/** The call in Python. @param {Call} call */
export function pythonOf({ url, name, input, streams, isFeed = false, isDetached, isAuthorized }) {
  const client = `Client(${pythonText(url)}${isAuthorized ? ", token=token" : ""})`;
  if (isFeed) return pythonFeed(client, name, input);
  const hasFiles = filesOf(input).length > 0;
  const body = Object.keys(input).length ? `, ${python(input, INDENT + INDENT)}` : "";
  return [
    ...(hasFiles ? ["from pathlib import Path", ""] : []),
    "from yieldwire.client import Client",
    "",
    `with ${client} as client:`,
    `    run = client.start(${pythonText(name)}${body}${isDetached ? ", detached=True" : ""})`,
    ...(streams ? ["    for chunk in run.chunks():", "        print(chunk)"] : []),
    "    print(run.result())",
  ].join("\n");
}

/** @param {string} client @param {string} name @param {Record<string, unknown>} input */
function pythonFeed(client, name, input) {
  const body = Object.keys(input).length ? `, ${python(input, INDENT)}` : "";
  return [
    "from yieldwire.client import AsyncClient",
    "",
    `async with Async${client} as client, await client.open(${pythonText(name)}${body}) as run:`,
    "    async for chunk in run.chunks():",
    "        print(chunk)",
  ].join("\n");
}

/** @param {Record<string, unknown>} input */
const filesOf = (input) => Object.values(input).flat().filter(isFile);

const isFile = (/** @type {unknown} */ value) => typeof File !== "undefined" && value instanceof File;

/**
 * @param {any} value
 * @param {string} indent
 * @param {unknown[]} files The files of the input, as from a file picker.
 * @returns {string}
 */
function typescript(value, indent, files) {
  if (isFile(value)) return `picker.files[${files.indexOf(value)}]`;
  const written = (/** @type {unknown} */ item) => typescript(item, indent + INDENT, files);
  if (Array.isArray(value)) return wrapped("[", "]", value.map(written), indent);
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "undefined";
  const keyOf = (/** @type {string} */ name) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));
  const fields = Object.entries(value).map(([name, item]) => `${keyOf(name)}: ${written(item)}`);
  return wrapped("{", "}", fields, indent, " ");
}

/** @param {any} value @param {string} indent @returns {string} */
function python(value, indent) {
  if (isFile(value)) return `Path(${pythonText(value.name)})`;
  if (Array.isArray(value))
    return wrapped(
      "[",
      "]",
      value.map((item) => python(item, indent + INDENT)),
      indent,
    );
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return pythonText(value);
  if (typeof value !== "object") return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, item]) => `${pythonText(name)}: ${python(item, indent + INDENT)}`);
  return wrapped("{", "}", fields, indent);
}

/**
 * A JSON string is a Python string: every escape means the same in both.
 * @param {string} text
 */
const pythonText = (text) => JSON.stringify(text);

/**
 * @param {string} open
 * @param {string} close
 * @param {string[]} items
 * @param {string} indent
 * @param {string} [space]
 */
function wrapped(open, close, items, indent, space = "") {
  if (items.length === 0) return open + close;
  const line = `${open}${space}${items.join(", ")}${space}${close}`;
  if (line.length + indent.length <= 72 && !line.includes("\n")) return line;
  return `${open}\n${items.map((item) => `${indent}${INDENT}${item},\n`).join("")}${indent}${close}`;
}
