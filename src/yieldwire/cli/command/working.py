"""The commands for queues: `worker` executes their runs, `queues` tells how many wait."""

from typing import Annotated

import typer

from yieldwire.cli.command.program import AsJson, cli
from yieldwire.cli.command.serving import File
from yieldwire.cli.help import Command, examples


@cli.command(
    cls=Command,
    short_help="Execute the runs of queues.",
    epilog=examples(
        "yieldwire worker app.py",
        "yieldwire worker app.py --queues imports,mail --concurrency 4",
        "yieldwire worker app.py --health-port 9000",
    ),
)
def worker(
    app: File,
    *,
    queues: Annotated[
        str, typer.Option(metavar="NAMES", help="Comma-separated queues; by default all.")
    ] = "",
    concurrency: Annotated[int, typer.Option(min=1, help="Runs executed at a time.")] = 10,
    health_port: Annotated[
        int | None,
        typer.Option(help="Answer /live, /ready, /queues and /metrics on this port."),
    ] = None,
    health_host: Annotated[str, typer.Option(help="The address for it.")] = "127.0.0.1",
) -> None:
    """Execute runs of actions that have a queue=, in a process of their own.

    The runs come from the application's store, or from its engine: docket or procrastinate. A
    worker also starts the runs of schedules then.

    Start as many as you need, on every machine that reaches the application's store. Servers of
    the same application start the runs and show them to readers, but do not execute them.

    On SIGTERM it takes no more runs, and gives those that are running their grace period to
    finish. A run that does not finish waits for another worker, if its action allows retries.
    """
    from yieldwire.cli.working import work  # noqa: PLC0415 - needs the extra `server`

    names = [name.strip() for name in queues.split(",") if name.strip()]
    health = None if health_port is None else (health_host, health_port)
    work(app, queues=names, concurrency=concurrency, health=health)


@cli.command(
    cls=Command,
    short_help="List queues, and how many runs wait.",
    epilog=examples("yieldwire queues app.py", "yieldwire queues app.py --json"),
)
def queues(app: File, *, as_json: AsJson = False) -> None:
    """List the queues of an application: how many runs wait for a worker, and how long the oldest.

    Runs that are to start later are not counted before their time. This reads the store of the
    application, and needs neither a server nor a worker.
    """
    from yieldwire.cli.queues import show_queues  # noqa: PLC0415 - loads the application

    show_queues(app, as_json=as_json)
