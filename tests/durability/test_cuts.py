"""A stream is read to its end however often it is cut."""

from pathlib import Path

from tests.durability.cuts import Cutting


async def test_a_stream_that_is_cut_ten_times_is_read_whole(tmp_path: Path) -> None:
    cutting = Cutting(tmp_path, seed=1, cuts_each=10)

    await cutting.run(30)

    assert (cutting.figures.streams, cutting.figures.cuts) == (30, 300)
