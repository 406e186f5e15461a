/**
 * The developer page: actions on the left, the chosen one's form, the runs that are followed, and all runs.
 *
 * Where the page is mounted is known from this file's own address: it is `{base}/dev/dev.js`. What the server sends is
 * shown as text nodes only.
 */

import { createClient } from "../client.js";
import { ActionList } from "./actions.js";
import { ActionView } from "./actionview.js";
import { curlOfRun } from "./curl.js";
import { el } from "./dom.js";
import { isTerminal, Panel, seqOf } from "./panel.js";
import { RunsTable } from "./runs.js";

const STREAMS = 4; // a browser has six HTTP/1.1 connections per origin; two are left for everything else
const ENDED = new Set(["completed", "failed", "cancelled"]);
const base = new URL("..", import.meta.url);
const urlOf = (path) => new URL(path, base).href;
const place = (id) => document.getElementById(id);

let authorization = "";
const headers = () => (authorization ? { Authorization: authorization } : {});
const client = createClient({ url: base, headers });
const views = new Map();
const panels = [];
let manifest = { actions: [] };
let list = null;

async function load(path, query = {}) {
  const url = new URL(path, base);
  url.search = new URLSearchParams(query);
  const response = await fetch(url, { headers: { Accept: "application/json", ...headers() }, cache: "no-store" });
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Error(body?.error?.message ?? `HTTP ${response.status}`);
  return body;
}

const runs = new RunsTable({
  load: (query) => load("dev/runs", query),
  onRuns: (known) => {
    const active = known.filter((run) => !ENDED.has(run.status)).length;
    place("active").textContent = active ? `${active} active` : "idle";
    place("active").dataset.status = active ? "running" : "";
    for (const panel of panels) if (runs.get(panel.run.id)) panel.take(runs.get(panel.run.id));
  },
});

function addPanel(run, action) {
  const refused = panels.find((panel) => panel.isRefused);
  if (refused) closePanel(refused);
  for (const older of panels) older.fold();
  const panel = new Panel(run, action, {
    client,
    lingerOf: (name) => manifest.actions.find((action) => action.name === name)?.linger,
    curlOf: ({ id }) =>
      curlOfRun({ url: urlOf(`runs/${encodeURIComponent(id)}/events`), isAuthorized: authorization !== "" }),
    onChange: panelChanged,
    onClose: closePanel,
  });
  panels.unshift(panel);
  place("panels").prepend(panel.element);
  place("panels").hidden = false;
  spareConnections();
  return panel;
}

/** The oldest streams change over to polling, so that one more does not hang the whole page. */
function spareConnections() {
  const streaming = panels.filter((panel) => panel.isStreaming);
  for (const panel of streaming.slice(STREAMS)) panel.poll();
}

function closePanel(panel) {
  panel.run.detach();
  panel.element.remove();
  panels.splice(panels.indexOf(panel), 1);
  place("panels").hidden = panels.length === 0;
  if (location.hash === `#/run/${encodeURIComponent(panel.run.id)}`) history.replaceState(null, "", "#/");
}

function panelChanged({ run }) {
  if (run.connection === "closed" || seqOf(run) < 2) runs.hurry();
}

function onRun(action, input) {
  const run = action.method === "GET" ? client[action.name](input, { method: "GET" }) : client[action.name](input);
  const panel = addPanel(run, action.name);
  const { form } = views.get(action.name);
  run.result().catch((reason) => panel.run === run && form.showErrors(reason.fieldErrors));
  if (innerWidth < 1000) panel.element.scrollIntoView({ block: "start" });
}

function showAction(name) {
  const action = manifest.actions.find((one) => one.name === name || one.alias === name);
  list?.select(action?.name);
  place("sidebar").classList.remove("is-open");
  document.title = `${action?.name ?? "Actions"} · Yieldwire`;
  if (!action)
    return place("action").replaceChildren(
      notice(`There is no action ${name}.`, "It may have been renamed, or its module is not imported."),
    );
  if (!views.has(action.name))
    views.set(action.name, new ActionView(action, { urlOf, isAuthorized: () => authorization !== "", onRun }));
  place("action").replaceChildren(views.get(action.name).element);
}

function showRun(id) {
  const known = runs.get(id);
  const panel = panels.find(({ run }) => run.id === id) ?? addPanel(client.runs.attach(id), known?.action);
  panel.element.focus();
  panel.element.scrollIntoView({ block: "nearest" });
  if (known) panel.take(known);
}

/** `#/action/NAME` and `#/run/ID`; without either, the first action. */
function route() {
  const [, kind, ...rest] = location.hash.split("/");
  const name = decodeURIComponent(rest.join("/"));
  if (kind === "run") showRun(name);
  if (kind === "action") showAction(name);
  else if (!place("action").firstChild && manifest.actions.length) showAction(manifest.actions[0].name);
}

const notice = (title, ...lines) =>
  el(
    "section",
    { class: "card empty" },
    el("h3", { text: title }),
    ...lines.map((line) => (typeof line === "string" ? el("p", { text: line }) : line)),
  );

const FIRST_ACTION = `from collections.abc import AsyncIterator
from yieldwire import Actions, Progress

actions = Actions()

@actions.action
async def count(to: int = 10) -> AsyncIterator[Progress]:
    """Count, and say so."""
    for n in range(1, to + 1):
        yield Progress(n, total=to)`;

async function begin() {
  place("action").replaceChildren();
  try {
    manifest = await load("manifest.json");
  } catch (reason) {
    place("action").replaceChildren(
      notice(
        "The actions cannot be read",
        reason.message,
        "If this application asks for an Authorization header, set it at the top right.",
      ),
    );
    return;
  }
  list = new ActionList(manifest.actions);
  views.clear();
  place("list").replaceChildren(list.element);
  place("count").textContent = manifest.actions.length;
  if (!manifest.actions.length) {
    place("action").replaceChildren(
      notice(
        "No actions yet",
        "An action is a typed function that yields. This is a whole one:",
        el("pre", { class: "code", text: FIRST_ACTION }),
      ),
    );
  }
  route();
}

place("runs-place").append(runs.element);
place("menu").addEventListener("click", () => {
  const isOpen = place("sidebar").classList.toggle("is-open");
  place("menu").setAttribute("aria-expanded", String(isOpen));
});
place("authorization").addEventListener("change", (event) => {
  authorization = event.target.value.trim();
  void begin();
  runs.hurry();
});
addEventListener("hashchange", route);
setInterval(() => panels.forEach((panel) => isTerminal(panel.run) || panel.draw()), 1000); // the time that each took so far
runs.hurry();
await begin();
document.documentElement.dataset.ready = "true";
