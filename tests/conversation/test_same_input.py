"""An input means the same with files in it as in JSON alone, from the Python client."""

import hashlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import TypeAliasType

from tests.conftest import Serve
from yieldwire import Actions, Upload
from yieldwire.client import Client

INPUTS: Final = int(os.environ.get("INPUTS", "100"))
"""How many inputs are drawn; ``INPUTS=1000`` is the long form."""

LONG: Final = settings(max_examples=INPUTS)

Tree = TypeAliasType(
    "Tree", "Upload | dict[str, Tree] | list[Tree] | str | bool | int | float | None"
)


@dataclass(frozen=True)
class Sent:
    """A file as a caller has it, with any name."""

    file: BinaryIO
    filename: str
    content_type: str = "text/csv"

    def __repr__(self) -> str:
        name = self.filename.encode("utf-8", "replace").decode()
        kept = Upload(io.BytesIO(), filename=name).filename
        return f"<{kept} {hashlib.sha256(content_of(self.file)).hexdigest()}>"


def content_of(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def shown(value: object) -> str:
    """Return text that tells any two values apart, files by their names and contents."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {shown(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    return f"<{value.filename} {value.sha256()}>" if isinstance(value, Upload) else repr(value)


actions = Actions()


@actions.action
async def tell(value: Tree = "nothing", file: Tree = "nothing") -> list[str]:
    """Return what arrived, as Python shows it."""
    return [shown(value), shown(file)]


tricky = st.sampled_from(
    ["a\nb\r\nc\rd", "", "null", "[1]", "{}", "0", "1", ":input", "/file", "/value/0", "~1"]
)
texts = tricky | st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
files = st.builds(Sent, st.binary().map(io.BytesIO), tricky | st.text())


def trees(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=12
    )


def test_any_value_is_the_same_with_a_file_next_to_it_as_in_json_alone(serve: Serve) -> None:
    with Client(serve(actions).url) as client:

        @LONG
        @given(value=trees(scalars | texts), file=files)
        def holds(value: object, file: Sent) -> None:
            alone, _ = client.call("tell", {"value": value})

            with_file, sent = client.call("tell", {"value": value, "file": file})

            assert (with_file, sent) == (alone, repr(file))

        holds()


def test_files_are_found_wherever_they_are_and_nothing_else_is_taken_for_one(
    serve: Serve,
) -> None:
    with Client(serve(actions).url) as client:

        @LONG
        @given(value=trees(scalars | texts | files))
        def holds(value: object) -> None:
            arrived, _ = client.call("tell", {"value": value})

            assert arrived == shown(value)

        holds()
