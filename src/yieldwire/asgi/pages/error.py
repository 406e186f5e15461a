"""The page for a request that was refused: what was wrong, with which field, and what to do."""

from typing import Final

from yieldwire.asgi.pages import PageContent
from yieldwire.asgi.pages.form import Form
from yieldwire.asgi.pages.link import Links
from yieldwire.asgi.pages.markup import Child, Markup, tag
from yieldwire.errors import ErrorObject, FieldErrors
from yieldwire.errors.errorobject import Debug

_AMENDABLE: Final = frozenset({400, 402, 409, 413, 415, 422})  # the form's sender can fix these


def error_content(
    error: ErrorObject, base: str, *, form: Form | None = None, links: Links
) -> PageContent:
    """Return the content of an error's page.

    Args:
        error: The error.
        base: The path at which the application is mounted.
        form: The plain form that was refused. It is shown again if anything of it was read.
        links: Where the page can lead.
    """
    title, fields = error.message if form is None else form.title, error.field_errors or {}
    problem = tag("p", tag("strong", error.message))
    if form is None or form.values is None:
        told = (None if form is None else problem, fields_part(fields), _advice(error))
        rest: Child = (code_part(error.code, error.error_id), links.navigation())
    else:
        told = (problem, form.summary(fields), None)
        rest = form.markup(fields, links.navigation())
    body = tag(
        "main",
        tag("header", tag("h1", title)),
        tag("div", told, class_="problem", role="alert") if any(told) else None,
        debug_part(error.debug),
        rest,
        class_="yieldwire-run",
        data_status="refused",
    )
    title = title if form is None else f"Error: {title}"
    return PageContent(title=title, body=body, base=base, error=error.to_dict(), links=links)


def _advice(error: ErrorObject) -> Markup | None:
    if error.retryable:
        return tag("p", "Go back, and send it again in a moment.")
    if error.field_errors or error.status in _AMENDABLE:
        return tag("p", "Go back, change what is wrong, and send it again.")
    return None


def fields_part(fields: FieldErrors | None) -> Markup | None:
    """Return a list of errors by field; ``None`` if there are none."""
    items = [
        tag("li", None if name == "_root" else (tag("strong", name), ": "), " ".join(messages))
        for name, messages in (fields or {}).items()
    ]
    return tag("ul", items) if items else None


def code_part(code: str, error_id: str | None) -> Markup:
    """Return an error's code and id, which somebody can pass on to the developers."""
    told = f"{code} · {error_id}" if error_id else code
    return tag("p", "Code: ", tag("span", told, data_role="code"), class_="code")


def debug_part(debug: Debug | None) -> Markup | None:
    """Return the details of an unexpected exception, which only a server in development has."""
    if debug is None:
        return None
    trace = tag("pre", debug["traceback"], class_="traceback", tabindex=0, aria_label="Traceback")
    return tag("section", tag("h2", "Shown in development only"), trace, data_role="trace")
