"""The command that measures the way to a server: `doctor`."""

import re
from typing import Annotated

import typer

from yieldwire.cli.command.program import AsJson, Header, TokenOption, Url, cli
from yieldwire.cli.doctor import SILENCE, examine, is_application
from yieldwire.cli.doctor.finding import Level
from yieldwire.cli.doctor.probe import Probe
from yieldwire.cli.doctor.report import progress, show
from yieldwire.cli.help import CODES_OF_DOCTOR, Command, examples
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.showing import Interrupt, run_until_done
from yieldwire.cli.source import is_url
from yieldwire.cli.target import address_of
from yieldwire.errors import UsageError


@cli.command(
    cls=Command,
    short_help="Measure the way to a server.",
    epilog=examples(
        "yieldwire doctor https://example.com/api/_actions",
        "yieldwire doctor https://example.com/api/_actions --origin https://app.example.com",
        "yieldwire doctor https://example.com/api/_actions --silence 20 --json",
    )
    + CODES_OF_DOCTOR,
)
def doctor(
    url: Url,
    *,
    origin: Annotated[
        str | None, typer.Option(help="Whether pages of this origin can call, by CORS.")
    ] = None,
    silence: Annotated[
        float,
        typer.Option(min=0, max=120, metavar="SECONDS", help="How long a stream is silent."),
    ] = SILENCE,
    token: TokenOption = None,
    header: Header = None,
    as_json: AsJson = False,
) -> None:
    """Measure the way from here to a server, and say what to change on it.

    It finds proxies that hold events back, compress streams, close silent ones, drop WebSocket or
    refuse large bodies; missing HTTP/2, TLS faults, wrong clocks, and origins that cannot call.

    No action is called and no run is created. It connects directly, without this machine's proxies.
    A proxy with a timeout is found if it is shorter than --silence.
    """
    if not is_url(url):
        raise UsageError(f"{url!r} is not a URL; name the URL where the application is mounted.")
    if origin is not None and re.fullmatch(r"https?://[^/?#@]+", origin) is None:
        raise UsageError(f"{origin!r} is not an origin; write it as https://app.example.com.")
    probe = Probe(address_of(url, token, header))

    async def work(_interrupt: Interrupt) -> Outcome:
        with progress() as tell:
            findings = await examine(probe, origin=origin, silence=silence, tell=tell)
        show(probe.url, findings, as_json=as_json)
        if not is_application(findings):
            return Outcome.UNREACHABLE
        has_problem = any(each.level is Level.PROBLEM for each in findings)
        return Outcome.FAILED if has_problem else Outcome.COMPLETED

    raise typer.Exit(run_until_done(work))
