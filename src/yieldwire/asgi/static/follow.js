/**
 * Makes the page of a run live. The server writes the page with the run's current state, and without JavaScript the browser loads
 * it again until the run has ended. This file shows status, progress and text as they come. Everything that is shown by its schema
 * it takes from the page as the server writes it then: the output while the run continues, and all the rest at the end.
 *
 * The page has one element with `data-run`, `data-status` and `data-cursor` (the last event that its text has), and in it one
 * element for each `data-role` below. A template of an application's own can leave out any of them.
 *
 * Loaded as `follow.js?run=<id>`, it shows that run in any page of the application's origin, in the element with `data-embed="<id>"`.
 */

import { createClient, textOf } from "./client.js";

const SHOWN = 500_000; // characters of text that stay on the page
const OUTPUT_MS = 1000; // between two looks at the output
const AT_THE_END = ["waiting", "how-far", "questions", "error", "output", "result", "trace", "duration", "foot"];
const STATUSES = { pending: "Waiting", running: "Running", completed: "Completed", failed: "Failed", cancelled: "Stopped" };
const ENDS = { done: "completed", error: "failed", cancelled: "cancelled" };

const embedded = new URL(import.meta.url).searchParams.get("run");
const page = embedded ? new URL(`runs/${encodeURIComponent(embedded)}`, import.meta.url) : location.href;
const main = embedded ? await embed(embedded) : document.querySelector("[data-run]");
const { run: id, status: first, cursor } = main.dataset;
const title = document.title;
const part = (role, within = main) => within.querySelector(`[data-role="${role}"]`);
const pending = { text: "", progress: null, isDue: false };
let isStale = !cursor; // the text that the server wrote will be sent again
let written = 0; // events up to this seq are in what the server wrote last
let outputTimer;

function put(role, text) {
  const element = part(role);
  if (!element) return;
  element.textContent = text ?? "";
  element.hidden = !text;
}

function showStatus(status) {
  if (status === main.dataset.status) return;
  main.dataset.status = status;
  put("status", STATUSES[status] ?? status);
  if (!embedded) document.title = title.replace(`: ${STATUSES[first]}`, `: ${STATUSES[status] ?? status}`);
}

/** Where the run waits, in the words of `log/waiting.py`. */
function waitingText({ before, expectedMs, notBefore }) {
  if (notBefore) return `Starts at ${new Date(notBefore).toLocaleString()}`;
  if (before === null) return "";
  const place = before === 0 ? "Next in line" : before === 1 ? "1 run is before it" : `${before} runs are before it`;
  if (expectedMs === null) return place;
  const [size, unit] = [[3_600_000, "h"], [60_000, "min"]].find(([each]) => expectedMs >= 1.5 * each) ?? [1000, "s"];
  return `${place}, about ${Math.max(1, Math.round(expectedMs / size))} ${unit}`;
}

function showProgress({ current, total, message }) {
  const bar = part("progress");
  put("message", message);
  put("percent", total > 0 ? `${Math.round(Math.min(100, Math.max(0, (100 * current) / total)))}%` : "");
  if (part("how-far")) part("how-far").hidden = false;
  if (!bar) return;
  bar.hidden = false;
  if (total > 0) Object.assign(bar, { max: total, value: current });
  else bar.removeAttribute("value");
}

/** Draw at most once per browser frame, however fast the chunks arrive. */
function draw() {
  pending.isDue = false;
  if (pending.progress) showProgress(pending.progress);
  const text = part("text");
  if (pending.text && text) {
    if (isStale) text.replaceChildren();
    isStale = false;
    text.hidden = false;
    text.append(pending.text);
    while (text.textContent.length > SHOWN && text.childNodes.length > 1) {
      text.firstChild.remove();
      put("cut", "The beginning of the text is not shown.");
    }
  }
  Object.assign(pending, { text: "", progress: null });
}

/** Drop what no longer counts. What still does after a saved place, only the server knows: some of it can be older than this page. */
async function restart({ keep }) {
  Object.assign(pending, { text: "", progress: null });
  const fresh = keep ? await takeOver(["cut", "text", "how-far", "output"]).catch(() => null) : null;
  if (fresh?.dataset.cursor) {
    written = Number(fresh.dataset.cursor.split(".")[1]);
    isStale = false;
    return;
  }
  put("text", "");
  for (const role of ["how-far", "output", "cut"]) if (part(role)) part(role).hidden = true;
}

async function take({ type, data }) {
  if (type === "restarted") await restart(data);
  else if (type === "chunk") {
    const text = textOf(data);
    pending.text += text;
    if (data?.type === "progress") pending.progress = data;
    else if (!text) outputTimer ??= setTimeout(showOutput, OUTPUT_MS);
  }
  if (type === "question" || type === "answer") showQuestions().catch(() => {});
  if (!pending.isDue) requestAnimationFrame(draw);
  pending.isDue = true;
}

/** Fill the element for a run in another page, and return it. */
async function embed(id) {
  const place = document.querySelector(`[data-embed="${CSS.escape(id)}"]`);
  try {
    const fresh = await freshPage();
    Object.assign(place.dataset, fresh.dataset);
    place.tabIndex = -1;
    place.replaceChildren(...fresh.childNodes);
  } catch (reason) {
    place.textContent = `The run cannot be shown: ${reason.message}`;
    throw reason;
  }
  return place;
}

/** Return the page as the server writes it now. */
async function freshPage() {
  // The page has a link back to where it was opened from, which is here.
  const referrerPolicy = embedded ? "no-referrer" : undefined;
  const answer = await fetch(page, { headers: { accept: "text/html" }, referrerPolicy });
  const whole = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = whole.querySelector("[data-run]");
  if (!fresh) throw new Error(whole.querySelector("h1")?.textContent || `The server answered ${answer.status}.`);
  return fresh;
}

/** Show the questions that are open now. One that is still open stays as it is, with what was written in it. */
async function showQuestions() {
  const [shown, asked] = [part("questions"), part("questions", await freshPage())];
  if (!shown || !asked) return;
  for (const each of [...shown.children]) {
    const same = [...asked.children].find((other) => other.isEqualNode(each));
    if (same) same.remove();
    else each.remove();
  }
  shown.append(...asked.children);
  shown.hidden = !shown.children.length;
}

/** Replace parts of the page by those that the server writes now. */
async function takeOver(roles) {
  const fresh = await freshPage();
  const hadFocus = main.contains(document.activeElement);
  for (const role of roles) {
    const now = part(role, fresh);
    if (now) part(role)?.replaceWith(now);
  }
  if (hadFocus && !main.contains(document.activeElement)) main.focus();
  return fresh;
}

async function showOutput() {
  await takeOver(["output"]).catch(() => {});
  outputTimer = undefined;
}

async function showEnd(status) {
  clearTimeout(outputTimer);
  if (pending.isDue) draw();
  showStatus((await takeOver(AT_THE_END)).dataset.status ?? status);
  put("trouble", "");
}

function stop(run, button) {
  button.textContent = "Stopping…"; // not disabled, which would take the focus away
  run.stop().catch((reason) => {
    button.textContent = "Stop";
    put("trouble", `The run could not be stopped: ${reason.message}`);
  });
}

async function follow() {
  const share = new URLSearchParams(location.search).get("share");
  const client = createClient({ url: new URL(".", import.meta.url), headers: share ? { "Run-Share": share } : {} });
  const run = client.runs.attach(id, cursor);
  run.subscribe(() => {
    // The end is shown together with its result.
    if (run.status && !Object.values(ENDS).includes(run.status)) showStatus(run.status);
    put("waiting", run.waiting && waitingText(run.waiting));
    put("trouble", run.trouble && "The connection is lost. Reconnecting…");
  });
  part("stop")?.addEventListener("submit", (event) => {
    event.preventDefault();
    stop(run, event.submitter ?? part("stop").querySelector("button"));
  });
  try {
    for await (const event of run.events()) if (event.seq > written) await take(event);
    await showEnd(run.status);
  } catch (reason) {
    if (run.status) showStatus(run.status);
    put("trouble", `${reason.message} Load the page again.`);
  }
}

if (!Object.values(ENDS).includes(first)) await follow();
