"""The runs of a server, listed on the command line."""

import pytest

from tests.conftest import Serve
from yieldwire import Actions, Context
from yieldwire.cli import main
from yieldwire.client import Client


def test_the_children_of_a_run_are_listed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    actions = Actions(identify=lambda _: "ada")

    @actions.action
    async def part(n: int) -> int:
        return n

    @actions.action
    async def whole(ctx: Context) -> int:
        return sum([n async for n in ctx.map(part, [1, 2])])

    url = serve(actions).url
    with Client(url) as client:
        run = client.start("whole")
        client.start("part", {"n": 3}).result()
        total = run.result()

    monkeypatch.setattr("sys.argv", ["yieldwire", "runs", url, "--parent", run.id])
    with pytest.raises(SystemExit) as ended:
        main()

    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert (ended.value.code or 0, total) == (0, 3)
    assert [(row[1], row[2], row[-1]) for row in rows] == [("part", "completed", run.id)] * 2
