"""A store can be written from the contract's docstrings alone, in few lines."""

import ast
from pathlib import Path
from typing import TypeGuard

import pytest

from tests.stores import toy
from tests.stores.toy import Data, ToyStore
from yieldwire.testing.clock import MovingClock
from yieldwire.testing.contract import StoreContract, StoreHarness


class ToyHarness:
    """A toy store on its own clock."""

    def __init__(self) -> None:
        self.clock, self.data = MovingClock(), Data()
        self.store = ToyStore(self.data, self.clock)

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def jump(self, seconds: float) -> None:
        self.clock.jump(seconds)

    async def another(self) -> ToyStore:
        return ToyStore(self.data, self.clock)

    async def reopen(self) -> None:
        self.store = ToyStore(self.data, self.clock)


class TestToyStore(StoreContract):
    @pytest.fixture
    def harness(self) -> StoreHarness:
        return ToyHarness()


def test_a_store_that_keeps_the_contract_takes_fewer_than_280_lines() -> None:
    source = Path(toy.__file__).read_text("utf-8")
    prose = {
        line
        for node in ast.walk(ast.parse(source))
        if is_prose(node)
        for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }

    lines = [
        line
        for number, line in enumerate(source.splitlines(), 1)
        if line.strip() and number not in prose
    ]

    assert len(lines) < 280


def is_prose(node: ast.AST) -> TypeGuard[ast.stmt]:
    """Whether this is a docstring or an import."""
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_docstring or isinstance(node, (ast.Import, ast.ImportFrom))
