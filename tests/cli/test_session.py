"""One session of a person at a terminal, with everything that can happen to a run."""

from pathlib import Path

from tests.cli.screen import showing
from tests.cli.terminal import running
from tests.support.server import listen
from yieldwire.client import Client

APP = """
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from yieldwire import Actions, Context, Progress, Timing, Upload

actions = Actions(store="sqlite:///runs.db", timing=Timing(grace=0.5))


@actions.action(asks=bool, retries=3, linger=None)
async def load(ctx: Context, file: Upload) -> AsyncIterator[Progress]:
    size = len(file.file.read())
    yield Progress(1, total=4, message=f"{size} bytes read")
    while not Path("go").exists():
        await asyncio.sleep(0.02)
    if await ctx.ask(bool, "Import them all?"):
        yield Progress(3, total=4, message="importing")
    await asyncio.Event().wait()
"""


def test_a_run_is_followed_over_a_restart_answered_and_cancelled(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "rows.csv").write_bytes(b"row\n" * 1000)
    with listen() as free:
        port = str(free.getsockname()[1])
    serve = ["dev", "app.py", "--port", port, "--no-reload"]

    with running(*serve, cwd=tmp_path) as server:
        url = server.wait_for("serves").rpartition(" ")[2]
        call = ["call", url, "load", "file=@rows.csv"]
        with showing(*call, cwd=tmp_path, columns=80) as screen, Client(url) as client:
            screen.wait_for("4000 bytes read")
            assert " 25% " in "\n".join(screen.lines())
            (run,) = client.list()["runs"]

            server.terminate()
            screen.wait_for("retrying in")
            server.finish()
            with running(*serve, cwd=tmp_path) as again:
                again.wait_for("serves")
                screen.wait_for("Attempt 2 starts; earlier output no longer counts.")
                (tmp_path / "go").touch()
                screen.wait_for("Question 1: Import them all?")
                screen.wait_for("answer [y/n]:")
                screen.type("y")
                bar = screen.wait_for("importing")

                screen.press("C-c")
                code, lines = screen.finish()
                after = client.snapshot(run["id"])

    assert any(" 75% " in line for line in bar)
    assert (code, lines[-1]) == (130, "CANCELLED: The run was cancelled.")
    assert (after["status"], after["attempt"], after["questions"]) == ("cancelled", 2, [])
