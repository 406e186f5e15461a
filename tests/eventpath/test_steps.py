"""The table of steps in *What an event costs* is that of the program that measures them."""

from tests.eventpath.steps import PAGE, measured, table


async def test_the_page_has_the_steps_that_are_measured() -> None:
    steps = [line.rpartition("| ")[0] for line in table(await measured(600, 1)).splitlines()]

    assert len(steps) == 8
    assert "\n".join(steps) in "\n".join(
        line.rpartition("| ")[0] for line in PAGE.read_text().splitlines()
    )
