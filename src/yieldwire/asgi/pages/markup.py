"""HTML that is built from parts, so that no value can become markup by accident."""

import html
from collections.abc import Iterable
from typing import Final, TypeAlias


class Markup(str):
    """HTML that can be part of a page as it is.

    A template engine recognises it by ``__html__`` and does not escape it.
    """

    __slots__ = ()

    def __html__(self) -> str:
        """Return the HTML."""
        return str(self)


Child: TypeAlias = str | Iterable["Child"] | None
"""What an element can contain. A string that is not `Markup` is text, and is escaped."""

NOTHING: Final = Markup()
_VOID: Final = frozenset({"input", "img", "link", "meta"})


def joined(*parts: Child) -> Markup:
    """Return the parts as HTML, one after the other."""
    return Markup("".join(map(_html_of, parts)))


def _html_of(part: Child) -> str:
    if part is None or isinstance(part, Markup):
        return part or ""
    if isinstance(part, str):
        return html.escape(part)
    return "".join(map(_html_of, part))


def tag(name: str, /, *content: Child, **attributes: object) -> Markup:
    """Return an element.

    An attribute that is ``None`` or ``False`` is left out, and one that is ``True`` has no value.
    ``class_`` and ``data_role`` are written ``class`` and ``data-role``.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(*content)}</{name}>")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    named = key.rstrip("_").replace("_", "-")
    return f" {named}" if value is True else f' {named}="{html.escape(str(value))}"'
