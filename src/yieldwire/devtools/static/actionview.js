/** One action: what it does, its form, and the same call from a terminal. */

import { bodyOf, queryOf } from "../client.js";
import { curlOf } from "./curl.js";
import { copyButton, el } from "./dom.js";
import { ActionForm } from "./forms.js";
import { typeName } from "./schema.js";

export class ActionView {
  #page;
  #curl = el("code", { class: "curl-text", data: { role: "curl" } });

  /** `page` is `{urlOf(path), isAuthorized(), onRun(action, input)}`. */
  constructor(action, page) {
    this.action = action;
    this.#page = page;
    this.form = new ActionForm(action, { onSubmit: (input) => this.#submit(input), onChange: () => this.#drawCurl() });
    const [summary, ...rest] = (action.doc ?? "").trim().split(/\n\s*\n/);
    const head = el(
      "div",
      { class: "action-head" },
      el("h1", { text: action.name }),
      el("p", { class: "lead", text: summary || "This action has no docstring." }),
    );
    const more = rest.map((paragraph) => el("p", { class: "prose", text: paragraph }));
    const terminal = el(
      "div",
      { class: "terminal" },
      el(
        "div",
        { class: "terminal-head" },
        el("h4", { text: "From a terminal" }),
        copyButton(() => this.#curl.textContent),
      ),
      el("div", { class: "curl" }, this.#curl),
    );
    this.element = el(
      "section",
      { class: "card action", "aria-label": action.name },
      head,
      ...more,
      this.#facts(),
      this.form.element,
      terminal,
    );
    this.#drawCurl();
  }

  #submit(input) {
    this.#drawCurl();
    this.#page.onRun(this.action, input);
  }

  #facts() {
    const { name, alias, method, streams, chunk, result, linger, timeout, shared } = this.action;
    const facts = [
      ["Call", `${method} /${name}${alias && alias !== name ? ` or /${alias}` : ""}`],
      streams ? ["Chunks", typeName(chunk)] : ["Answer", "one result, no chunks"],
      result && result.type !== "null" && typeName(result) !== "any" ? ["Result", typeName(result)] : null,
      ["Readers", linger === null ? "goes on without" : linger === undefined ? null : `lingers ${linger} s without`],
      timeout ? ["Time limit", `${timeout} s`] : null,
      shared ? ["Shared", "one run for all readers"] : null,
    ];
    const rows = facts
      .filter((fact) => fact?.[1])
      .map(([term, text]) => el("div", {}, el("dt", { text: term }), el("dd", { text })));
    return el("dl", { class: "facts" }, ...rows);
  }

  #drawCurl() {
    const { input } = this.form.read();
    const isFeed = this.action.method === "GET";
    const body = isFeed ? null : bodyOf(input);
    const entries = body instanceof FormData ? [...body.entries()] : null;
    const query = isFeed ? queryOf(input).toString() : "";
    const url = this.#page.urlOf(encodeURIComponent(this.action.name));
    this.#curl.textContent = curlOf({
      url,
      method: this.action.method,
      input,
      entries,
      query,
      isAuthorized: this.#page.isAuthorized(),
    });
  }
}
