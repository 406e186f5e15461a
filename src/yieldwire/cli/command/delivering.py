"""The command for webhooks that were given up: `webhooks`."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from yieldwire.app import App
from yieldwire.cli.command.program import AsJson, cli
from yieldwire.cli.command.serving import File
from yieldwire.cli.display import show_table
from yieldwire.cli.help import Command, examples
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.output import note, show_json
from yieldwire.cli.showing import Interrupt, run_until_done
from yieldwire.cli.source import is_url, load
from yieldwire.errors import NotFound, UsageError
from yieldwire.log.delivery import Delivery
from yieldwire.log.snapshot import iso_time
from yieldwire.stores.deliveries import DEAD_LETTERS_KEPT
from yieldwire.webhooks.destination import shown_url


@cli.command(
    cls=Command,
    short_help="List webhooks that were given up.",
    epilog=examples(
        "yieldwire webhooks app.py",
        "yieldwire webhooks app.py --retry r3kTq0xZb1mVnQ8sLw7Yc_4",
        "yieldwire webhooks app.py --retry all",
    ),
)
def webhooks(
    app: File,
    *,
    retry: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Send the one with this id again, or `all`."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the webhooks that a receiver did not accept, newest first, and why.

    A webhook is given up when its last try has failed: after about three days by default, or at
    once if the receiver answers 410. A store keeps the newest 1,000.

    With --retry they are due again. A running server of the application sends them with its next
    sweep; if the try fails, they are given up again. URLs are shown without their path, which can
    have a token; --json has all of it.
    """
    if is_url(app):
        raise UsageError(f"{app} is a URL; name the application's file, which knows its store.")
    found = load(app).app
    if found.store.reach == "process":
        raise UsageError(
            f"{app} keeps its runs in the memory of its own process, where no other process sees "
            "them. Use a store such as sqlite:///runs.db, or actions.app.webhooks.dead_letters()."
        )

    async def work(_interrupt: Interrupt) -> Outcome:
        async with _opened(found):
            dead = await found.webhooks.dead_letters(limit=DEAD_LETTERS_KEPT)
            if retry is not None:
                dead = _chosen(dead, retry)
                for delivery in dead:
                    await found.webhooks.send_again(delivery)
        _show(dead, as_json=as_json)
        if retry is not None:
            seconds = found.timing.sweep_every
            note(f"{len(dead)} due again; a running server sends them within {seconds:g} s.")
        return Outcome.COMPLETED

    raise typer.Exit(run_until_done(work))


@asynccontextmanager
async def _opened(app: App) -> AsyncGenerator[None, None]:
    # Only the store: an open application would also sweep, and send what is due.
    await app.store.open()
    try:
        yield
    finally:
        await app.store.close()


def _chosen(dead: Sequence[Delivery], retry: str) -> Sequence[Delivery]:
    chosen = [each for each in dead if retry in {"all", each.id}]
    if not chosen and retry != "all":
        raise NotFound(f"No webhook with the id {retry!r} was given up.")
    return chosen


def _show(dead: Sequence[Delivery], *, as_json: bool) -> None:
    if as_json:
        names = ("id", "url", "type", "tries", "failure")
        facts = [{name: getattr(each, name) for name in names} for each in dead]
        for each, told in zip(dead, facts, strict=True):
            told |= {"runId": each.run_id, "at": iso_time(each.at)}
        show_json({"webhooks": facts})
        return
    columns = ["id", "webhook", "URL", "created", "tries", "failure"]
    rows = [
        [
            each.id,
            each.type,
            shown_url(each.url),
            str(iso_time(each.at)),
            str(each.tries),
            str(each.failure),
        ]
        for each in dead
    ]
    show_table(columns, rows)
