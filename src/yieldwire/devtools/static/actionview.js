/** One action: its description, its form, and the same call from other places. */

import { bodyOf, queryOf } from "../client.js";
import { curlOf } from "./curl.js";
import { paragraphsOf, prose, withCode } from "./docstring.js";
import { el } from "./dom.js";
import { factsOf } from "./facts.js";
import { ActionForm } from "./forms.js";
import { pythonOf, typescriptOf } from "./snippet.js";
import { Tabs } from "./tabs.js";

/**
 * @typedef {import("./actions.js").ActionInfo} ActionInfo
 * @typedef {object} Page
 * @property {(path: string) => string} urlOf
 * @property {() => boolean} isAuthorized
 * @property {(action: ActionInfo, input: Record<string, unknown>, isDetached: boolean) => void} onRun
 */

export class ActionView {
  #page;
  #snippets = new Tabs("Call it from", ["curl", "TypeScript", "Python"]);

  /** @param {ActionInfo} action @param {Page} page */
  constructor(action, page) {
    this.action = action;
    this.#page = page;
    this.form = new ActionForm(action, { onSubmit: (input) => this.#submit(input), onChange: () => this.draw() });
    const [summary, ...rest] = paragraphsOf(action.doc);
    const head = el(
      "div",
      { class: "action-head" },
      el("h1", { text: action.name, tabindex: "-1" }),
      el("p", { class: "lead" }, ...withCode(summary || "This action has no docstring.")),
    );
    const parts = [head, ...rest.map(prose), factsOf(action), this.form.element, this.#snippets.element];
    this.element = el("section", { class: "card action", "aria-label": action.name }, ...parts);
    this.draw();
  }

  /** Write the same call as code, with the form's input. */
  draw() {
    const { action } = this;
    const { input } = this.form.read();
    const isAuthorized = this.#page.isAuthorized();
    const isFeed = action.method === "GET";
    const body = isFeed ? null : bodyOf(input);
    const call = {
      ...action,
      url: this.#page.urlOf("").replace(/\/$/, ""),
      input,
      isDetached: this.form.isDetached,
      isAuthorized,
    };
    this.#snippets.set({
      curl: curlOf({
        url: this.#page.urlOf(encodeURIComponent(action.name)),
        method: action.method,
        input,
        entries: body instanceof FormData ? [...body.entries()] : null,
        query: isFeed ? queryOf(input).toString() : "",
        isDetached: call.isDetached,
        isAuthorized,
      }),
      TypeScript: typescriptOf(call),
      Python: pythonOf({ ...call, isFeed }),
    });
  }

  /** @param {Record<string, unknown>} input */
  #submit(input) {
    this.draw();
    this.#page.onRun(this.action, input, this.form.isDetached);
  }
}
