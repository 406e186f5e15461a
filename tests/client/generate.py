"""Write the blocking client from the asynchronous one, as `make generate` does.

Each class becomes one that has the asynchronous object and the thread of a loop. A method runs
its coroutine there, or iterates its generator; what it returns is wrapped in the same way.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CLIENT: Final = Path(__file__).parents[2] / "src" / "yieldwire" / "client"
WRITTEN: Final = "Written by `make generate` from the asynchronous client; change it there."

RUN_HEAD: Final = f'''\
"""A run on a server, for blocking code: the same run, on a loop in another thread.

{WRITTEN}
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

from yieldwire.client.body import OnUpload
from yieldwire.client.run import RemoteRun
from yieldwire.client.runtypes import A, C, M, R, RunTypes
from yieldwire.errors import Json
from yieldwire.log.events import Event
from yieldwire.loopthread import LoopThread

C2 = TypeVar("C2")
R2 = TypeVar("R2")


class Closing(ABC):
    """What a ``with`` block closes at its end."""

    @abstractmethod
    def close(self) -> None:
        """Close it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class BlockingRun(Closing, Generic[C, R, A, M]):
    """A run on a server, for blocking code. See `RemoteRun`."""

    def __init__(self, loop: LoopThread, run: RemoteRun[C, R, A, M]) -> None:
        self._loop, self._run = loop, run

    def _ipython_display_(self) -> None:
        """Show the run in a notebook's cell, and update that until the run has ended."""

        async def show() -> None:
            self._run._ipython_display_()  # pyright: ignore[reportPrivateUsage]  # its twin's

        self._loop.run(show())
'''
CLIENT_HEAD: Final = f'''\
"""The client's blocking twin, for scripts: the same client, on a loop in its own thread.

{WRITTEN}
"""

from collections.abc import Iterator, Mapping

from yieldwire.client.asynchronous import AsyncClient
from yieldwire.client.blockingrun import BlockingRun, Closing
from yieldwire.client.body import Input, OnUpload
from yieldwire.client.patience import Patience
from yieldwire.client.transport import TransportName
from yieldwire.client.wire import ApplicationURL, HeaderFields, Token
from yieldwire.errors import Json
from yieldwire.loopthread import LoopThread
from yieldwire.setting import CountOrZero, settings


@settings
class Client(Closing):
    """The blocking twin of `AsyncClient`, which describes the arguments.

    Example:
        >>> with Client("https://example.com/api/_actions") as client:
        ...     for chunk in client.stream("count", {{"to": 3}}):
        ...         ...
    """

    def __init__(self, PARAMETERS) -> None:
        self._client = AsyncClient(ARGUMENTS)
        self._loop = LoopThread("yieldwire-client")

    def close(self) -> None:
        """Stop reading every run, and end the thread."""
        self._loop.close(self._client.aclose())
'''
ACTION_HEAD: Final = f'''\
"""Actions with types, and their calls, for blocking code.

{WRITTEN}
"""

from collections.abc import Iterator
from types import TracebackType
from typing import Generic

from yieldwire.client.blockingrun import BlockingRun
from yieldwire.client.body import OnUpload
from yieldwire.client.calling import A, AsyncAction, AsyncCall, C, M, P, R
from yieldwire.errors import Json
from yieldwire.loopthread import LoopThread


class BlockingAction(Generic[P, C, R, A, M]):
    """An action, called by a `Client`. See `AsyncAction`."""

    def __init__(self, loop: LoopThread, action: AsyncAction[P, C, R, A, M]) -> None:
        self.__doc__ = action.__doc__
        self._loop, self._action = loop, action
'''
CALL_HEAD: Final = '''

class BlockingCall(Generic[C, R, A, M]):
    """A call of an action that is not made yet. See `AsyncCall`; `result` returns the result."""

    def __init__(self, loop: LoopThread, call: AsyncCall[C, R, A, M]) -> None:
        self._loop, self._call = loop, call
'''
WRAPPED: Final = {"AsyncCall": "BlockingCall", "RemoteRun": "BlockingRun"}
"""The blocking classes for the asynchronous ones."""
NAMES: Final = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__call__": "__call__",
    "aclose": "close",
}
WORDS: Final = {
    r"\basync (for|with)\b": r"\1",
    r"`await ": "`",
    "`AsyncCall": "`BlockingCall",
    "`AsyncClient": "`Client",
    "when it is awaited, iterated": "when it is iterated",
}

Method = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Twin:
    """A class, and the head of its blocking twin."""

    head: str
    module: str
    name: str
    inner: str
    """The twin's attribute for the asynchronous object."""
    has_own: frozenset[str] = frozenset()
    """The methods that its head has, or its base."""

    def methods(self) -> Iterator[Method]:
        """Yield the class's methods, in their order."""
        tree = ast.parse((CLIENT / f"{self.module}.py").read_text("utf-8"))
        (found,) = [
            node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == self.name
        ]
        for node in found.body:
            if isinstance(node, Method):
                yield node

    def text(self) -> str:
        """Return the twin."""
        return self._made_head() + "".join(
            self._method(method, name)
            for method in self.methods()
            if not method.name.startswith("_") or method.name in NAMES
            if (name := NAMES.get(method.name, method.name)) not in self.has_own
        )

    def _made_head(self) -> str:
        """Return the head, with the parameters of the asynchronous class where they are wanted."""
        (init,) = [one for one in self.methods() if one.name == "__init__"]
        kept = [
            (one, default)
            for one, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True)
            if one.arg != "http"  # it would belong to another loop
        ]
        init.args.kwonlyargs = [one for one, _ in kept]
        init.args.kw_defaults = [default for _, default in kept]
        parameters = ast.unparse(init.args).removeprefix("self, ")
        return self.head.replace("PARAMETERS", parameters).replace("ARGUMENTS", passed(init))

    def _method(self, method: Method, name: str) -> str:
        """Return a method that blocks."""
        returns = ast.unparse(method.returns).strip("'") if method.returns else "None"
        inner = f"self.{self.inner}"
        is_property = any(ast.unparse(one) == "property" for one in method.decorator_list)
        call = f"{inner}.{method.name}" + ("" if is_property else f"({passed(method)})")
        call = {"__iter__": f"aiter({inner})", "__call__": f"{inner}({passed(method)})"}.get(
            name, call
        )
        if generated := re.fullmatch(r"AsyncGenerator\[(.*), None\]", returns):
            call, returns = f"self._loop.iterate({call})", f"Iterator[{generated[1]}]"
        elif isinstance(method, ast.AsyncFunctionDef):
            call = f"self._loop.run({call})"
        kind = returns.partition("[")[0]
        if kind in WRAPPED:
            call = f"{WRAPPED[kind]}(self._loop, {call})"
            returns = returns.replace(kind, WRAPPED[kind])
            returns = f'"{returns}"' if "[" in returns else returns  # it can be its own class
        return (
            "\n"
            + ("    @property\n" if is_property else "")
            + f"    def {name}({ast.unparse(method.args)}) -> {returns}:\n"
            + docstring(method)
            + f"        {'' if returns == 'None' else 'return '}{call}\n"
        )


CLOSING: Final = frozenset({"__enter__", "__exit__"})
FILES: Final = {
    "blockingrun.py": [Twin(RUN_HEAD, "run", "RemoteRun", "_run", CLOSING)],
    "blocking.py": [
        Twin(CLIENT_HEAD, "asynchronous", "AsyncClient", "_client", CLOSING | {"close"})
    ],
    "blockingcall.py": [
        Twin(ACTION_HEAD, "calling", "AsyncAction", "_action"),
        Twin(CALL_HEAD, "calling", "AsyncCall", "_call"),
    ],
}
"""What is in each file."""


def passed(method: Method) -> str:
    """Return the arguments that pass a method's parameters on."""
    given = [one.arg for one in (*method.args.posonlyargs, *method.args.args)][1:]
    given += [f"*{method.args.vararg.arg}"] if method.args.vararg else []
    given += [f"{one.arg}={one.arg}" for one in method.args.kwonlyargs]
    given += [f"**{method.args.kwarg.arg}"] if method.args.kwarg else []
    return ", ".join(given)


def docstring(method: Method) -> str:
    """Return a method's docstring, in the words of blocking code."""
    text = ast.get_docstring(method, clean=False) or ""
    for pattern, word in WORDS.items():
        text = re.sub(pattern, word, text)
    return f'        """{text}"""\n' if text else ""


def written(name: str) -> str:
    """Return the text of a file."""
    text = "".join(twin.text() for twin in FILES[name])
    place = str(CLIENT / name)  # by which ruff finds its settings
    ruff = [sys.executable, "-m", "ruff", "format", "-q", "--stdin-filename", place, "-"]
    formatted = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True)
    return formatted.stdout


if __name__ == "__main__":
    for file in FILES:
        (CLIENT / file).write_text(written(file), "utf-8")
