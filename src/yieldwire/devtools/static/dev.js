/**
 * The developer page: actions on the left, the chosen one's form, the followed runs, and all runs.
 *
 * The page's base is derived from this file's own URL: it is `{base}/dev/dev.js`. Data from the server is shown only as
 * text nodes. The page's URL holds what is shown, so that a reload and a link show it again.
 */

import { createClient } from "../client.js";
import { ActionList } from "./actions.js";
import { ActionView } from "./actionview.js";
import { hashOf, placeOf } from "./address.js";
import { curlOfRun } from "./curl.js";
import { documentPage } from "./documents.js";
import { closesItself, place } from "./dom.js";
import { isEqual } from "./format.js";
import { Keys } from "./key.js";
import { notice, unreadable, welcome } from "./notice.js";
import { Panels } from "./panels.js";
import { RunsTable } from "./runs.js";
import { filesOf } from "./schema.js";

/** @typedef {import("./actions.js").ActionInfo} ActionInfo */

const THEMES = ["system", "light", "dark"];
const base = new URL("..", import.meta.url);
const urlOf = (/** @type {string} */ path) => new URL(path, base).href;

let authorization = "";
/** @returns {Record<string, string>} */
const headers = () => (authorization ? { Authorization: authorization } : {});
const client = createClient({ url: base, headers });
/** @type {Map<string, ActionView>} */
const views = new Map();
/** @type {ActionInfo[]} */
let actions = [];
let list = new ActionList([], open);
/** The action in the URL, which need not exist. @type {string | undefined} */
let chosen;
/** @type {ActionView | undefined} */
let shown;
/** The document that is shown instead of the action. @type {string | undefined} */
let opened;
let isLoaded = false;

/** @param {string} path @param {Record<string, string>} [query] @param {"GET" | "POST"} [method] */
async function load(path, query = {}, method = "GET") {
  const url = new URL(path, base);
  url.search = new URLSearchParams(query).toString();
  const accept = { Accept: "application/json", ...headers() };
  const response = await fetch(url, { method, headers: accept, cache: "no-store" });
  const body = parsed(await response.text());
  if (!response.ok) throw new Error(body?.error?.message ?? `HTTP ${response.status}`);
  return body;
}

/** Integers that a number cannot hold stay as they are written: a run is started again with the same input. @param {string} text */
function parsed(text) {
  const exact = (/** @type {string} */ _, /** @type {unknown} */ value, /** @type {{ source?: string }} */ context) =>
    Number.isInteger(value) && !Number.isSafeInteger(value) ? (context?.source ?? value) : value;
  try {
    return JSON.parse(text, /** @type {any} */ (exact));
  } catch {
    return null;
  }
}

const runs = new RunsTable({
  load: (query) => load("dev/runs", query),
  onRuns: (known) => {
    const active = known.filter((run) => ["pending", "running"].includes(run.status)).length;
    place("active").textContent = active ? `${active} active` : "idle";
    place("active").dataset.status = active ? "running" : "";
    panels.take(runs);
  },
});

const panels = new Panels(place("panels"), {
  client,
  actionOf: (name) => actions.find((action) => action.name === name),
  loadRun: (id) => load(`dev/runs/${encodeURIComponent(id)}`),
  sendWebhooks: (id) => load(`dev/runs/${encodeURIComponent(id)}/webhooks`, {}, "POST"),
  stopForAll: (id) => load(`dev/runs/${encodeURIComponent(id)}/cancel`, {}, "POST"),
  curlOf: (id) =>
    curlOfRun({ url: urlOf(`runs/${encodeURIComponent(id)}/events`), isAuthorized: authorization !== "" }),
  loadTimes: (id, after) => load(`runs/${encodeURIComponent(id)}`, { after, times: "1" }),
  announce: (text) => (place("announcement").textContent = text),
  hurry: () => runs.hurry(),
  onAgain: repeat,
  onEdit: edit,
  onChange: writeAddress,
});

function writeAddress() {
  if (!isLoaded) return;
  const hash = hashOf({ action: chosen, runs: panels.ids, document: opened });
  if (location.hash !== hash) history.replaceState(null, "", hash);
  list.select(opened ? undefined : chosen, panels.ids);
}

/** @param {ActionInfo} action @param {Record<string, unknown>} input @param {boolean} isDetached */
function onRun(action, input, isDetached) {
  const view = views.get(action.name);
  /** @type {import("../client.js").CallOptions} */
  const options = {
    method: action.method,
    detached: isDetached,
    ...(hasFiles(input) && { onUpload: (sent, total) => panel.sent(sent, total) }),
  };
  const run = /** @type {import("../client.js").AnyAction} */ (client[action.name])(input, options);
  const panel = panels.add(run, { action: action.name, input });
  run.result().catch((reason) => panel.run === run && view?.form.showErrors(reason.fieldErrors));
  if (innerWidth < 1180) panel.element.scrollIntoView({ block: "start" });
}

/** Start an action again; if its files are no longer here, they must be chosen again first.
 * @param {string} name @param {Record<string, unknown>} input @param {boolean} isDetached
 */
function repeat(name, input, isDetached) {
  const action = actions.find((one) => one.name === name);
  if (!action) return;
  const isWhole = hasFiles(input) || filesOf(action.input).every((field) => input[field] === undefined);
  if (isWhole) onRun(action, input, isDetached);
  else edit(name, input);
}

/** Put an input into the form of its action. @param {string} name @param {Record<string, unknown>} input */
function edit(name, input) {
  if (chosen !== name) {
    showAction(name);
    writeAddress();
  }
  shown?.form.write(input);
  place("action").scrollIntoView({ block: "start" });
  shown?.form.focus();
}

/** @param {Record<string, unknown>} input */
const hasFiles = (input) =>
  Object.values(input)
    .flat()
    .some((value) => value instanceof File);

/** @param {string} name */
function showAction(name) {
  const action = actions.find((one) => one.name === name || one.alias === name);
  chosen = action?.name ?? name;
  closeMenu();
  document.title = `${action?.name ?? "Actions"} · Yieldwire`;
  shown =
    action &&
    (views.get(action.name) ?? new ActionView(action, { urlOf, isAuthorized: () => authorization !== "", onRun }));
  if (action && shown) views.set(action.name, shown);
  const missing = () =>
    notice(`There is no action ${name}.`, "Check that it was not renamed, and that its module is imported.");
  place("action").replaceChildren(shown?.element ?? missing());
}

/** Show what the URL says; if it names no action, that of its run, or the first. */
async function route() {
  const { action, runs: ids, document: name } = placeOf(location.hash);
  const isOther = chosen !== undefined && action !== undefined && (action !== chosen || opened !== undefined);
  await openDocument(name);
  if (action !== undefined) showAction(action);
  if (isOther) place("action").scrollIntoView({ block: "start" });
  const followed = [...ids].reverse().map((id) => panels.attach(id));
  const linked = action === undefined ? followed.at(-1) : undefined;
  if (linked) {
    const before = chosen;
    linked.panel.focus();
    const info = await linked.info;
    if (info && chosen === before && chosen !== info.action) showAction(info.action);
  }
  if (chosen === undefined && opened === undefined && actions[0]) showAction(actions[0].name);
  writeAddress();
}

/** Show a document, or the actions again. @param {string | undefined} name */
async function openDocument(name) {
  opened = name;
  place("work").hidden = name !== undefined;
  place("document").hidden = name === undefined;
  if (name === undefined) return place("document").replaceChildren();
  closeMenu();
  const page = await documentPage(name, load);
  if (opened !== name) return;
  document.title = `${page.querySelector("h1")?.textContent ?? name} · Yieldwire`;
  place("document").replaceChildren(page);
  scrollTo(0, 0);
  page.querySelector("h1")?.focus();
}

/** Go to an action's form. @param {string | undefined} name */
function open(name) {
  if (name) history.pushState(null, "", hashOf({ action: name, runs: panels.ids }));
  void route().then(() => shown?.form.focus());
}

/** @param {string | undefined} name */
function goTo(name) {
  if (name) location.hash = hashOf({ action: name, runs: panels.ids });
}

async function begin() {
  isLoaded = false;
  try {
    takeActions((await load("manifest.json")).actions);
  } catch (reason) {
    place("action").replaceChildren(unreadable(/** @type {Error} */ (reason)));
    return;
  }
  isLoaded = true;
  await route();
}

/**
 * Show the new list of actions; a form keeps its values, unless its own action has changed.
 * @param {ActionInfo[]} found
 */
function takeActions(found) {
  for (const [name, view] of views) {
    const action = found.find((one) => one.name === name);
    if (isEqual(action, view.action)) view.draw();
    else views.delete(name);
  }
  actions = found;
  shown = chosen = undefined;
  list = new ActionList(actions, open);
  place("list").replaceChildren(list.element);
  place("count").textContent = String(actions.length);
  place("action").replaceChildren(...(actions.length ? [] : [welcome()]));
}

/** When the window gets the focus, load the current actions. */
async function refresh() {
  const manifest = await load("manifest.json").catch(() => undefined); // the table of runs reports that the server is away
  if (manifest && !isEqual(manifest.actions, actions)) await begin();
}

function closeMenu() {
  // What is hidden cannot keep the focus.
  if (place("sidebar").matches(".is-open:focus-within")) place("action").focus({ preventScroll: true });
  place("sidebar").classList.remove("is-open");
  place("menu").setAttribute("aria-expanded", "false");
}

function toggleMenu() {
  const isOpen = place("sidebar").classList.toggle("is-open");
  place("menu").setAttribute("aria-expanded", String(isOpen));
  if (isOpen) list.focus();
}

function nextTheme() {
  const { dataset } = document.documentElement;
  dataset.theme = THEMES[(THEMES.indexOf(dataset.theme ?? "") + 1) % THEMES.length] ?? "system";
  localStorage.setItem("yieldwire-theme", dataset.theme);
  showTheme();
}

function showTheme() {
  const { theme = "system" } = document.documentElement.dataset;
  place("theme").setAttribute("aria-label", `Colours: ${theme}`);
  place("theme").title = `Colours: ${theme}`;
}

const keys = new Keys([
  { key: "/", text: "Search actions", press: () => list.focus() },
  { key: "j", text: "Next action", press: () => goTo(list.neighbour(chosen, 1)) },
  { key: "k", text: "Previous action", press: () => goTo(list.neighbour(chosen, -1)) },
  { key: "f", text: "Go to the form", press: () => shown?.form.focus() },
  { key: "Ctrl Enter", text: "Run, from anywhere in the form" },
  { key: "r", text: "Go to the newest run", press: () => panels.newest?.focus() },
  { key: "s", text: "Stop the focused run, or the newest", press: () => panels.current?.stop() },
  { key: "d", text: "Detach from that run, or resume it", press: () => panels.current?.toggle() },
  { key: "a", text: "Start that run again", press: () => panels.current?.again() },
  { key: "x", text: "Close its panel", press: () => panels.closeCurrent() },
  { key: "l", text: "Go to the table of runs", press: () => runs.focus() },
  { key: "t", text: "Switch the theme: light, dark or system", press: nextTheme },
]);

place("runs-place").append(runs.element);
place("menu").addEventListener("click", toggleMenu);
place("theme").addEventListener("click", nextTheme);
place("help").addEventListener("click", () => keys.toggle());
place("active").addEventListener("click", () => runs.focus());
place("sidebar").addEventListener("keydown", ({ key }) => {
  if (key !== "Escape" || !place("sidebar").classList.contains("is-open")) return;
  closeMenu();
  place("menu").focus();
});
closesItself(/** @type {HTMLDetailsElement} */ (place("setting")));
place("authorization").addEventListener("change", ({ target }) => {
  authorization = /** @type {HTMLInputElement} */ (target).value.trim();
  void begin();
  runs.hurry();
});
addEventListener("hashchange", () => isLoaded && void route()); // while the page loads, it is read afterwards
addEventListener("focus", () => void refresh());
showTheme();
runs.hurry();
await begin();
document.documentElement.dataset.ready = "true";
