"""The small page that follows one run: where a plain HTML form's post ends up.

It works without JavaScript, by asking again, and with it follows live.
"""

import html
from typing import TYPE_CHECKING, Final

from pydantic_core import to_json

from yieldwire.asgi.exchange import PAGE_POLICY, Exchange, page
from yieldwire.errors import Json
from yieldwire.run import RunRecord

if TYPE_CHECKING:
    from yieldwire.asgi import Actions

REFRESH_SECONDS: Final = 1


async def answer_page(app: "Actions", exchange: Exchange, run: RunRecord) -> None:
    """Answer with the page of ``run`` as it is now."""
    snapshot = await app.snapshot(run.id)
    action = app.action_named(run.action)
    title = action.name.replace("_", " ").capitalize()
    ended = run.status.is_terminal
    head = f'<script type="module" src="{html.escape(exchange.base)}/follow.js"></script>\n'
    if not ended:
        head += f'<noscript><meta http-equiv="refresh" content="{REFRESH_SECONDS}"></noscript>\n'
    attributes = {"data-run": run.id, "data-status": run.status.value}
    body = _body(title, snapshot, exchange.base, ended=ended)
    await exchange.answer(
        200,
        page(title, exchange.base, body, attributes=attributes, head=head),
        media_type="text/html; charset=utf-8",
        headers=[PAGE_POLICY],
    )


def _body(title: str, snapshot: dict[str, Json], base: str, *, ended: bool) -> str:
    progress = snapshot["progress"] or {}
    percent = progress.get("percent")
    bar = f' value="{percent}"' if percent is not None else ""
    if ended and percent is None:
        bar = ' value="100"'
    message = html.escape(str(progress.get("message") or ""))
    text = html.escape(snapshot["text"] or "")
    result = snapshot["result"]
    shown = html.escape(_pretty(result)) if result is not None else ""
    error = snapshot["error"] or {}
    told = html.escape(str(error.get("message", "")))
    root, run_id = html.escape(base), html.escape(snapshot["id"])
    stop = (
        ""
        if ended
        else (
            f'<form method="post" action="{root}/runs/{run_id}/cancel">'
            '<button data-role="stop">Stop</button></form>\n'
        )
    )
    return (
        f"<main>\n<h1>{html.escape(title)}</h1>\n"
        f'<p data-role="status">{snapshot["status"]}</p>\n'
        f'<progress data-role="progress" max="100"{bar}></progress>\n'
        f'<p data-role="message">{message}</p>\n'
        f'<pre data-role="text"{_hidden(text)}>{text}</pre>\n'
        f'<pre data-role="result"{_hidden(shown)}>{shown}</pre>\n'
        f'<p data-role="error" role="alert"{_hidden(told)}>{told}</p>\n{stop}</main>\n'
    )


def _hidden(content: str) -> str:
    return "" if content else " hidden"


def _pretty(value: Json) -> str:
    return value if isinstance(value, str) else to_json(value, indent=2).decode()
