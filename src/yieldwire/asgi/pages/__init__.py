"""The pages that people see after a plain HTML form: how they look, and how they are answered.

The modules of this package make HTML of data, and know neither requests nor runs in progress.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

from yieldwire.asgi.pages.color import Color, readable
from yieldwire.asgi.pages.link import NO_LINKS, Links
from yieldwire.asgi.pages.markup import Markup, joined, tag
from yieldwire.errors import Json, UsageError
from yieldwire.setting import function_of, settings

logger: Final = logging.getLogger("yieldwire.asgi")

Template: TypeAlias = Annotated[
    Callable[[Mapping[str, object]], str], function_of("the page's parts")
]
"""Makes a whole HTML page of its parts; ``render`` of a Jinja2 template is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContent:
    """What one page shows.

    Attributes:
        title: Its title.
        body: Its content.
        base: The path at which the application is mounted.
        head: What its head has in addition to the style sheet.
        run: The snapshot of its run, if it is about one.
        error: The error object, if the request was refused.
        links: Pages of the application to which it can lead.
    """

    title: str
    body: Markup
    base: str
    head: Markup = Markup()  # noqa: RUF009 - it is a string
    run: Mapping[str, Json] | None = None
    error: Mapping[str, Json] | None = None
    links: Links = NO_LINKS


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """How the pages look that people see: that of a run, of a refused form, of an error.

    Attributes:
        name: The application's name, shown above each page and in its title.
        color: The application's colour, such as ``"#0f766e"``, for links, buttons and bars. On
            light and on dark pages it is made as dark or as light as reading it needs.
        template: A function that makes the whole page instead, as text. It gets one mapping:
            ``title``, ``name``, ``run`` (the snapshot, or ``None``), ``error`` (the error object
            if the request was refused, or ``None``), ``back`` and ``next`` (paths, or ``""``),
            and as HTML ``head`` (the style sheet and the script) and ``content``. ``render`` of
            a Jinja2 template is such a function.
    """

    name: str = ""
    color: Color | None = None
    template: Template | None = None

    @property
    def style(self) -> bytes:
        """The style sheet's part for ``color``."""
        if self.color is None:
            return b""
        return b"\n:root {\n  --brand: light-dark(%b, %b);\n}\n" % tuple(
            each.encode() for each in readable(self.color)
        )

    def page(self, content: PageContent) -> bytes:
        """Return a page.

        Raises:
            UsageError: If the template does not return text.
        """
        if self.template is None:
            return self._own(content)
        parts: dict[str, object] = {
            "title": self._title(content),
            "name": self.name,
            "run": content.run,
            "error": content.error,
            "back": content.links.back,
            "next": content.links.next,
            "head": _head(content),
            "content": content.body,
        }
        written: object = self.template(parts)
        if not isinstance(written, str):
            raise UsageError(f"template= must return a string, not {type(written).__name__}.")
        return written.encode()

    def error_page(self, content: PageContent) -> bytes:
        """Return the page for an error, without the template if that fails: it can be the cause."""
        try:
            return self.page(content)
        except Exception:
            logger.exception("the template of the pages failed")
            return self._own(content)

    def _title(self, content: PageContent) -> str:
        return " · ".join(filter(None, (content.title, self.name)))

    def _own(self, content: PageContent) -> bytes:
        brand = tag("p", self.name, class_="brand") if self.name else None
        title = tag("title", self._title(content))
        settings_ = joined(
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        )
        head = tag("head", settings_, title, _head(content))
        body = tag("body", brand and tag("header", brand), content.body, class_="yieldwire-page")
        return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n".encode()


def _head(content: PageContent) -> Markup:
    return joined(tag("link", rel="stylesheet", href=f"{content.base}/follow.css"), content.head)
