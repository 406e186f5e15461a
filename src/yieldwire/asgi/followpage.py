"""The small page that follows one run: the target of a plain HTML form's redirect.

It works without JavaScript, by reloading, and with it updates live.
"""

import html
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic_core import to_json

from yieldwire.asgi.exchange import PAGE_POLICY, Exchange, debug_part, page
from yieldwire.asgi.site import Site
from yieldwire.errors import Json
from yieldwire.log.cursor import cursor_of
from yieldwire.log.run import RunRecord, Status

REFRESH_SECONDS: Final = 1


async def answer_page(site: Site, exchange: Exchange, run: RunRecord) -> None:
    """Answer with the page of ``run`` in its current state."""
    snapshot = await site.app.snapshot(run.id)
    title = run.action.replace("_", " ").capitalize()
    ended = snapshot["error"] is not None or snapshot["status"] == Status.COMPLETED
    base = html.escape(exchange.base)
    head = f'<script type="module" src="{base}/follow.js"></script>\n'
    if not ended:
        refresh = f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
        head += f"<noscript>{refresh}</noscript>\n"
    attributes = {
        "data-run": run.id,
        "data-status": snapshot["status"],
        "data-cursor": cursor_of(run.id, snapshot["seq"]),
    }
    body = "".join(_parts(title, snapshot, base, ended=ended))
    await exchange.answer(
        200,
        page(title, exchange.base, f"<main>\n{body}</main>\n", attributes=attributes, head=head),
        media_type="text/html; charset=utf-8",
        headers=[PAGE_POLICY],
    )


def _parts(title: str, snapshot: Mapping[str, Json], base: str, *, ended: bool) -> Iterator[str]:
    status, error = snapshot["status"], snapshot["error"] or {}
    yield f'<header><h1 data-role="action">{html.escape(title)}</h1> '
    yield f'<p data-role="status" role="status">{status}</p></header>\n'
    yield _progress(snapshot["progress"])
    yield f'<div data-role="error" role="alert"{_hidden(error)}>'
    yield f'<strong data-role="code">{html.escape(str(error.get("code", "")))}</strong> '
    yield f'<span data-role="reason">{html.escape(str(error.get("message", "")))}</span></div>\n'
    yield debug_part(error.get("debug"))
    for role, content in (("text", snapshot["text"]), ("result", snapshot["result"])):
        shown = "" if content is None else html.escape(_pretty(content))
        yield f'<pre data-role="{role}"{_hidden(shown)}>{shown}</pre>\n'
    if not ended:
        action = f"{base}/runs/{html.escape(snapshot['id'])}/cancel"
        yield f'<form data-role="stop" method="post" action="{action}">'
        yield "<button>Stop</button></form>\n"


def _progress(progress: Mapping[str, Json] | None) -> str:
    shown = progress or {}
    current, total = shown.get("current"), shown.get("total")
    scale = f' max="{_shown(total)}" value="{_shown(current)}"' if total else ""
    message = _shown(shown.get("message") or "")
    return (
        f'<progress data-role="progress"{scale}{_hidden(progress)}></progress>\n'
        f'<p data-role="message">{message}</p>\n'
    )


def _shown(value: Json) -> str:
    # An action can yield any JSON and call it progress.
    return html.escape(str(value))


def _hidden(content: object) -> str:
    return "" if content else " hidden"


def _pretty(value: Json) -> str:
    return value if isinstance(value, str) else to_json(value, indent=2).decode()
