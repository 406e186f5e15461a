/**
 * The small page that follows one run, after a plain HTML form was posted. The server writes the page with the run's current
 * state; without JavaScript it reloads until the run has ended, with JavaScript this file takes over. The page's HTML,
 * at `{base}/runs/{id}`, everything escaped, nothing inline:
 *
 *     <!doctype html>
 *     <html lang="en">
 *       <head>
 *         <meta charset="utf-8">
 *         <meta name="viewport" content="width=device-width, initial-scale=1">
 *         <title>import_contacts: running</title>
 *         <link rel="stylesheet" href="../follow.css">
 *         <noscript><meta http-equiv="refresh" content="2"></noscript>        only while the run is not ended
 *         <script type="module" src="../follow.js"></script>
 *       </head>
 *       <body data-run="ID" data-status="running" data-cursor="ID.12">        data-cursor: the last event that the text below has
 *         <main>
 *           <header><h1 data-role="action">import_contacts</h1> <p data-role="status" role="status">running</p></header>
 *           <progress data-role="progress" max="400" value="12"></progress>   hidden without progress; no value without a total
 *           <p data-role="message">Processing 12 of 400</p>
 *           <div data-role="error" role="alert" hidden><strong data-role="code"></strong> <span data-role="reason"></span></div>
 *           <pre data-role="text" hidden></pre>
 *           <pre data-role="result" hidden></pre>                             JSON, or the text itself
 *           <form data-role="stop" method="post" action="ID/cancel"><button>Stop</button></form>     only while not ended
 *         </main>
 *       </body>
 *     </html>
 *
 * Any of the elements can be missing. Without `data-cursor` the run is read from its first event and the text is rebuilt.
 */

import { createClient, textOf } from "./client.js";

const SHOWN = 500_000; // characters of text that stay on the page
const { run: id, status, cursor } = document.body.dataset;
const part = (role) => document.querySelector(`[data-role="${role}"]`);
const pending = { text: "", progress: null, isDue: false };
let hasEnded = false;
let isStale = !cursor; // the text that the server wrote will be sent again

function put(role, text) {
  const element = part(role);
  if (!element) return;
  element.textContent = text ?? "";
  element.hidden = !text;
}

function showStatus(text) {
  document.body.dataset.status = text;
  put("status", text);
  document.title = `${part("action")?.textContent ?? "Run"}: ${text}`;
}

function showProgress({ current, total, message }) {
  const bar = part("progress");
  put("message", message);
  if (!bar) return;
  bar.hidden = false;
  if (total > 0) Object.assign(bar, { max: total, value: current });
  else bar.removeAttribute("value");
}

/** Show the details of an unexpected exception, which only a server in development sends. */
function showDebug({ traceback }) {
  if (part("debug")) return;
  const section = document.createElement("section");
  section.dataset.role = "debug";
  const title = document.createElement("h2");
  title.textContent = "Shown in development only";
  const text = document.createElement("pre");
  text.className = "traceback";
  text.textContent = traceback;
  section.append(title, text);
  part("error")?.after(section);
}

function showEnd(type, data) {
  hasEnded = true;
  part("stop")?.remove();
  const bar = part("progress");
  if (bar && !bar.hasAttribute("value")) bar.hidden = true; // the last progress is not known
  if (type !== "done") {
    put("code", data.code);
    put("reason", data.message);
    if (part("error")) part("error").hidden = false;
    if (data.debug) showDebug(data.debug);
  } else if (data?.result !== undefined && data.result !== null) {
    put("result", typeof data.result === "string" ? data.result : JSON.stringify(data.result, null, 2));
  }
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
    while (text.textContent.length > SHOWN && text.childNodes.length > 1) text.firstChild.remove();
  }
  Object.assign(pending, { text: "", progress: null });
}

function take({ type, data }) {
  if (type === "restarted") {
    Object.assign(pending, { text: "", progress: null });
    for (const role of ["text", "message"]) put(role, "");
    if (part("progress")) part("progress").hidden = true;
  } else if (type === "chunk") {
    pending.text += textOf(data);
    if (data?.type === "progress") pending.progress = data;
  } else if (type === "done" || type === "error" || type === "cancelled") showEnd(type, data);
  if (!pending.isDue) requestAnimationFrame(draw);
  pending.isDue = true;
}

function stopFailed(reason) {
  part("stop").querySelector("button").disabled = false;
  put("message", `The run could not be stopped: ${reason.message}`);
}

/** The run ended between the creation of this page and its first event: take the outcome from the snapshot. */
async function showOutcome(run) {
  if (run.error) showEnd("error", run.error);
  else showEnd("done", { result: await run.result() });
}

async function follow() {
  const run = createClient({ url: new URL(".", import.meta.url) }).runs.attach(id, cursor);
  run.subscribe(() => (run.status ?? status) === document.body.dataset.status || showStatus(run.status));
  part("stop")?.addEventListener("submit", (event) => {
    event.preventDefault();
    part("stop").querySelector("button").disabled = true;
    run.stop().catch((reason) => stopFailed(reason));
  });
  try {
    for await (const event of run.events()) take(event);
    if (!hasEnded) await showOutcome(run);
  } catch (reason) {
    showEnd("error", reason);
  }
  showStatus(run.status ?? status);
}

if (!["completed", "failed", "cancelled"].includes(status)) await follow();
