"""How a chunk looks as HTML: a function or a template of the application says it."""

import html
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias

from yieldwire.errors import UsageError
from yieldwire.setting import Rule, shown


def _render_of(look: object) -> Callable[..., object] | None:
    render: object = getattr(look, "render", None)
    return render if callable(render) else None


def _escapes(template: object) -> bool | None:
    """Return whether a template of Jinja2 escapes its variables; ``None`` for any other object."""
    environment: Any = getattr(template, "environment", None)
    if environment is None or _render_of(template) is None:
        return None
    chosen = environment.autoescape  # as Jinja2's own `Template` reads it
    return bool(chosen(getattr(template, "name", None)) if callable(chosen) else chosen)


def _is_look(value: object) -> bool:
    if value is None:
        return True
    return (callable(value) or _render_of(value) is not None) and _escapes(value) is not False


def _hint(value: object) -> str:
    if _escapes(value) is False:
        return "make its environment with autoescape=True"
    return "write html=row for def row(chunk): ..."


_LOOK: Final = Rule(_is_look, "a function of a chunk, or a template that escapes", _hint)
Look: TypeAlias = Annotated[object, _LOOK]


def html_of(look: Look, chunk: object) -> str:
    """Return a chunk as HTML.

    A function gets the chunk; a template has the variable ``chunk``. Text is escaped, unless it
    comes from a template that escapes its variables, or has ``__html__``, as ``markupsafe.Markup``.

    Raises:
        UsageError: If ``look`` returns neither text nor something with ``__html__``.
    """
    render = _render_of(look)
    made: object
    if render is not None:
        made = render({"chunk": chunk})
        if _escapes(look):
            return str(made)
    else:
        made = look(chunk)  # type: ignore[operator] # the rule of `Look` has checked it
    marked: object = getattr(made, "__html__", None)
    if callable(marked):
        return str(marked())
    if not isinstance(made, str):
        raise UsageError(f"html= must return text, not {shown(made)}.")
    return html.escape(made)
