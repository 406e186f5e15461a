"""The executor that runs everything where it is started."""

from tests.support.runs import call, opened
from yieldwire.actions.context import Context
from yieldwire.app import App
from yieldwire.executors import Executor
from yieldwire.executors.local import LocalExecutor


async def test_an_application_executes_its_own_runs_unless_told_otherwise() -> None:
    app = App()

    async def attempt(ctx: Context) -> int:
        return ctx.attempt

    async with opened(app):
        heard = await call(app, attempt)

    assert isinstance(app.executor, LocalExecutor)
    assert heard.end == ("done", {"result": 1})


async def test_an_executor_serves_again_after_a_close() -> None:
    executor: Executor = LocalExecutor()
    app = App(executor=executor)

    async def attempt(ctx: Context) -> int:
        return ctx.attempt

    action = app.action(attempt)
    heard = []
    for _ in range(2):
        async with opened(app):
            heard.append(await call(app, action))

    assert [each.end for each in heard] == 2 * [("done", {"result": 1})]
