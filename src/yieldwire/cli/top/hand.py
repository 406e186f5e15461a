"""What the keys of a live view do: move, filter, and say what is asked for."""

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from yieldwire.cli.top.board import Board, BoardRow
from yieldwire.cli.top.view import View

Wish: TypeAlias = Literal["quit", "cancel", "answer"]
"""What a key asks for that the view alone cannot do."""

_FAR: Final = 1_000_000
_MOVES: Final[Mapping[str, int]] = {
    "up": -1,
    "k": -1,
    "down": 1,
    "j": 1,
    "pageup": -10,
    "pagedown": 10,
    "home": -_FAR,
    "g": -_FAR,
    "end": _FAR,
    "G": _FAR,
}


class Hand:
    """The keys of a view."""

    def __init__(self, board: Board, view: View) -> None:
        self._board, self._view = board, view
        self._press: Callable[[str], Wish | None] = self._command
        self.chosen: BoardRow | None = None
        """The run that a wish is about."""

    def press(self, key: str) -> Wish | None:
        """Do what a key does, and return what it asks for."""
        return self._press(key)

    def _command(self, key: str) -> Wish | None:
        view, board = self._view, self._board
        view.footer = ""
        if key in _MOVES:
            board.move(_MOVES[key])
        match key:
            case "q":
                return "quit"
            case "s":
                board.next_filter()
            case "enter":
                view.is_wide_log = not view.is_wide_log
            case "escape":
                board.words, board.filter = "", "all"
            case "?" | "h":
                view.is_help, self._press = True, self._leave_help
            case "/":
                self._press = self._find
                self._show_words()
            case "a" | "c":
                return self._choose(key)
            case _:
                pass
        return None

    def _choose(self, key: str) -> Wish | None:
        row = self.chosen = self._board.selected(self._board.listed())
        if row is None or not row.is_active:
            self._view.footer = "No run is selected." if row is None else "This run has ended."
        elif key == "c":
            self._press = self._confirm
            self._view.footer = f"Cancel {row.entry['action']} {row.id}? y/n"
        elif row.entry.get("questions"):
            return "answer"
        else:
            self._view.footer = "This run has no open question."
        return None

    def _confirm(self, key: str) -> Wish | None:
        self._press, self._view.footer = self._command, ""
        return "cancel" if key in {"y", "Y"} else None

    def _leave_help(self, _key: str) -> None:
        self._view.is_help, self._press = False, self._command

    def _find(self, key: str) -> None:
        board = self._board
        if key == "escape":
            board.words = ""
        if key in {"enter", "escape"}:
            self._press, self._view.footer = self._command, ""
            return
        if key == "backspace":
            board.words = board.words[:-1]
        elif len(key) == 1 and key.isprintable():
            board.words += key
        self._show_words()

    def _show_words(self) -> None:
        self._view.footer = f"Find: {self._board.words}_  (enter: keep, escape: list all)"
