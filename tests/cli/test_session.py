"""One session of a person at a terminal, with everything that can happen to a run."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.screen import showing
from tests.cli.terminal import running
from tests.support.line import Line
from tests.support.ports import free_port
from yieldwire.client import Client
from yieldwire.loopthread import LoopThread

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


@contextmanager
def slow_line(target: int) -> Generator[Line, None, None]:
    """Pass connections on to a port, slowly until its ``delay`` is changed."""
    loop, line = LoopThread("line"), Line(target)
    line.delay = 0.25
    loop.run(line.__aenter__())
    try:
        yield line
    finally:
        loop.close(line.__aexit__())


def test_a_file_is_sent_and_its_run_followed_over_a_restart_answered_and_cancelled(
    tmp_path: Path,
) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "rows.csv").write_bytes(b"row\n" * 4_000_000)
    port = free_port()
    serve = ["dev", "app.py", "--port", str(port), "--no-reload"]

    with running(*serve, cwd=tmp_path) as server, slow_line(port) as line:
        url = server.wait_for("serves").rpartition(" ")[2]
        call = ["call", url.replace(str(port), str(line.port)), "load", "file=@rows.csv"]
        with showing(*call, cwd=tmp_path, columns=80) as screen, Client(url) as client:
            screen.wait_for("Sending ")
            sending = screen.lines()
            line.delay = 0.0
            screen.wait_for("16000000 bytes read")
            reading = "\n".join(screen.lines())
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

    assert any("of 16.0 MB" in told for told in sending)
    assert any("%" in told and " 100% " not in told for told in sending)
    assert " 25% " in reading
    assert "Sending" not in reading
    assert any(" 75% " in told for told in bar)
    assert (code, lines[-1]) == (130, "CANCELLED: The run was cancelled.")
    assert (after["status"], after["attempt"], after["questions"]) == ("cancelled", 2, [])
