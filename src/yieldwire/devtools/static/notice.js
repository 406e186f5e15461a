/** Messages for a page without content. */

import { el } from "./dom.js";

const FIRST_ACTION = `from collections.abc import AsyncIterator
from yieldwire import Actions, Progress

actions = Actions()

@actions.action
async def count(to: int = 10) -> AsyncIterator[Progress]:
    """Count, and report progress."""
    for n in range(1, to + 1):
        yield Progress(n, total=to)`;

/** @param {string} title @param {...(string | Node)} lines */
export const notice = (title, ...lines) =>
  el(
    "section",
    { class: "card empty" },
    el("h2", { text: title }),
    ...lines.map((line) => (typeof line === "string" ? el("p", { text: line }) : line)),
  );

export const welcome = () =>
  notice(
    "No actions yet",
    "An action is a typed function that yields. Here is a complete one:",
    el("pre", { class: "code", text: FIRST_ACTION }),
  );

/** @param {Error} reason */
export const unreadable = ({ message }) =>
  notice(
    "The actions could not be loaded",
    message,
    "If this application asks for an Authorization header, set it at the top right.",
  );
