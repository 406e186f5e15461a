"""Engines by name, for the processes of one application."""

from yieldwire.executors.engine import Engine

CLAIM_WITHIN = 2.0
LOST_AFTER = 1.0


def engine_for(name: str, store: str) -> Engine | None:
    """Return the engine of that name on the server of a store; without a name there is none."""
    if name == "docket":
        from yieldwire.executors.docket import Docket  # noqa: PLC0415 - few processes need it

        return Docket(store, claim_within=CLAIM_WITHIN, lost_after=LOST_AFTER)
    if name == "procrastinate":
        from procrastinate import App, PsycopgConnector  # noqa: PLC0415 - the same

        from yieldwire.executors.procrastinate import Procrastinate  # noqa: PLC0415 - the same

        jobs = App(connector=PsycopgConnector(conninfo=store))
        return Procrastinate(jobs, claim_within=CLAIM_WITHIN)
    return None
