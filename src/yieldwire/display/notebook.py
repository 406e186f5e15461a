"""Output of a notebook's cell that changes in place: HTML, by the IPython in which code runs.

IPython is never imported: code that runs in a notebook has it.
"""

import sys
from collections.abc import Sequence
from html import escape
from secrets import token_hex
from typing import Any, Final

from yieldwire.display.progress import ShownProgress, clean

_FONT: Final = "font-family: var(--jp-ui-font-family, sans-serif); font-size: 0.9em"
_WRAPPED: Final = "margin: 0.5em 0 0; white-space: pre-wrap"


def notebook() -> Any:  # noqa: ANN401 - IPython has no types here
    """Return the IPython shell of the notebook in which this runs; ``None`` elsewhere."""
    module = sys.modules.get("IPython")
    shell = None if module is None else module.get_ipython()
    return None if getattr(shell, "kernel", None) is None else shell


class CellOutput:
    """One output of the cell that is running; it can be replaced when the cell has ended."""

    def __init__(self, shell: Any) -> None:  # noqa: ANN401 - as above
        self._publish = shell.display_pub.publish
        self._id: Final = token_hex(16)
        self._shown: object = None

    def show(self, progress: ShownProgress) -> None:
        """Show a progress instead of what this showed before."""
        self.replace(html_of(progress), str(progress))

    def replace(self, html: str, text: str) -> None:
        """Show HTML instead of what this showed before, or, where HTML is not shown, text."""
        data = {"text/html": f'<div style="{_FONT}">{html}</div>', "text/plain": clean(text)}
        if data != self._shown:
            is_update, self._shown = self._shown is not None, data
            self._publish(data, transient={"display_id": self._id}, update=is_update)

    def wait(self, text: str) -> None:
        """Show what is waited for; empty: leave what is shown."""
        if text:
            self.replace(f"<div>{escape(clean(text))}</div>", text)

    def close(self) -> None:
        """Leave what is shown."""


def html_of(progress: ShownProgress) -> str:
    """Return a progress as HTML: a bar, and its values in words."""
    value = "" if progress.percent is None else f' value="{progress.percent:g}"'
    bar = f'<progress aria-label="Progress" max="100"{value} style="width: 20em"></progress>'
    return f"{bar} {escape(clean(str(progress)))}"


def html_of_run(
    name: str, status: str, progress: ShownProgress | None, lines: Sequence[str], text: str
) -> str:
    """Return a run as HTML.

    Args:
        name: The name of its action.
        status: Its status.
        progress: Its newest progress.
        lines: What else there is to say of it.
        text: Its text.
    """
    parts = [f"<strong>{escape(name)}</strong> {escape(status)}"]
    parts += [] if progress is None else [html_of(progress)]
    parts += [escape(clean(line)) for line in lines]
    wrapped = f'<pre style="{_WRAPPED}">{escape(clean(text))}</pre>' if text else ""
    return "".join(f"<div>{part}</div>" for part in parts) + wrapped
