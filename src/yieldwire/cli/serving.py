"""The work of ``dev`` and ``serve``: one process that serves, or one that supervises others."""

import asyncio
import socket
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from yieldwire import devtools
from yieldwire.asgi import Actions
from yieldwire.cli.children import Children, keep_running
from yieldwire.cli.mounting import BASE
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.output import note, say
from yieldwire.cli.reload import reload_on_change
from yieldwire.cli.server import Serving, grace_of, listen, serve, url_of
from yieldwire.cli.source import LoadFailed, Source, load_source, path_of
from yieldwire.errors import StoreError, UsageError
from yieldwire.stores import Query, RunStore

DEV_GRACE: Final = 0.5
"""Seconds that running actions have when ``dev`` stops: nobody wants to wait for them."""

HAS_CHILDREN: Final = sys.platform != "win32"
"""Whether a process can pass a listening socket to the processes that it starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where to listen; ``fd`` is a socket that a process above has opened there."""

    host: str
    port: int
    fd: int | None = None

    @property
    def is_given(self) -> bool:
        """Whether this process was started by a supervisor."""
        return self.fd is not None

    def open(self) -> socket.socket:
        """Return the socket."""
        return listen(self.host, self.port) if self.fd is None else socket.socket(fileno=self.fd)


def develop(target: str, where: Listening, how: Serving, *, reloads: bool, opens: bool) -> None:
    """Serve with the developer page; restart at every change if it ``reloads``."""
    file = path_of(target)
    if how.static is not None and not how.static.is_dir():
        raise UsageError(f"--static: there is no folder {how.static}.")
    if how.static is not None and not how.base.strip("/"):
        raise UsageError("--static needs a --base, such as /api/_actions: the files are at /.")
    with where.open() as listener:
        if opens and not where.is_given:
            # It waits until there is an answer.
            webbrowser.open(url_of(listener, how.base if how.static is None else ""))
        if reloads and not where.is_given and HAS_CHILDREN:
            reload_on_change(Children(listener, grace=DEV_GRACE), file)
        else:
            _serve_page(target, listener, how, is_watched=reloads and HAS_CHILDREN)


def publish(target: str, where: Listening, how: Serving, *, workers: int) -> None:
    """Serve without the page, in as many processes as there are ``workers``."""
    source = _load(target, how)
    _check_workers(source, workers)
    with where.open() as listener:
        served = f"{target} at {url_of(listener, _front(source, how))}"
        if workers > 1 and not where.is_given:
            note(f"{workers} workers serve {served}")
            keep_running(Children(listener, grace=grace_of(source)), workers)
        else:
            _serve(source, listener, how, on_ready=lambda: note(f"Yieldwire serves {served}"))


def _front(source: Source, how: Serving) -> str:
    """Return the path of the first page to open."""
    return how.base if how.static is None and source.host is None else ""


def _serve_page(target: str, listener: socket.socket, how: Serving, *, is_watched: bool) -> None:
    try:
        source = _load(target, how)
    except (UsageError, StoreError) as exc:
        if is_watched:
            note(f"{exc.details}\n" if isinstance(exc, LoadFailed) else "")
            note(f"{exc} Waiting for a change.")
            sys.exit(Outcome.USAGE)
        raise
    for actions in source.actions:
        devtools.attach(actions)
        actions.app.timing = replace(actions.app.timing, grace=DEV_GRACE)
        if how.works:
            actions.app.working.take_from(None)  # nobody needs a worker to try an action

    def greet() -> None:
        say(
            _greeting(
                target, source, lambda path: url_of(listener, path), how, is_watched=is_watched
            )
        )

    _serve(source, listener, how, greet)


def _greeting(
    target: str, source: Source, url: Callable[[str], str], how: Serving, *, is_watched: bool
) -> str:
    lines = [f"Yieldwire serves {target} at {url(how.base)}"]
    if source.host is not None:
        lines = [f"Yieldwire serves {target} ({type(source.host).__name__}) at {url('')}"]
    if how.static is not None:
        lines.append(f"and the files in {how.static} at {url('')}")
    for path, actions in source.places.items():
        if source.host is not None:
            lines += ["", f"Actions, with their page, at {url(path)}"]
        lines += ["", *(_list_of(actions) or ["  It has no actions yet."])]
    end = "; it restarts when a Python file changes" if is_watched else ""
    return "\n".join([*lines, "", f"Ctrl-C stops it{end}.\n"])


def _list_of(actions: Actions) -> list[str]:
    known = list(actions.app.registry.actions)
    width = max((len(action.name) for action in known), default=0)
    return [f"  {one.name:<{width}}  {one.doc.partition(chr(10))[0]}".rstrip() for one in known]


def _serve(
    source: Source, listener: socket.socket, how: Serving, on_ready: Callable[[], object]
) -> None:
    if not serve(source, listener, how, on_ready):
        sys.exit(Outcome.FAILED)


def _load(target: str, how: Serving) -> Source:
    source = load_source(target)
    if source.host is not None and (how.static is not None or how.base != BASE):
        raise UsageError(
            f"{target} has its own paths: --base and --static are for actions that are served "
            "alone. Name an Actions() to do that."
        )
    for actions in source.actions:
        # Reported once and here, rather than by every process that is started.
        asyncio.run(_ask(actions.app.store))
    return source


async def _ask(store: RunStore) -> None:
    try:
        await store.find(Query(everyone=True, limit=1))
    finally:
        await store.close()


def _check_workers(source: Source, workers: int) -> None:
    if workers == 1:
        return
    if any(actions.app.store.reach == "process" for actions in source.actions):
        raise UsageError(
            f"{workers} workers cannot share this application's store: it lives in one process, "
            "so a run that one worker starts would be unknown to the others. "
            "Use one worker, or a store that more than one process can reach."
        )
    if not HAS_CHILDREN:
        raise UsageError("On Windows only one worker is supported.")
