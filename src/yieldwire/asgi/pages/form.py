"""A form made from an action's schema, with the values that were sent and what is wrong with them.

It is shown after a plain HTML form was refused. Its controls have the names that a form's fields
have on the wire; see `yieldwire.asgi.forms`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, TypeGuard

from pydantic_core import to_json

from yieldwire.actions.upload import Upload
from yieldwire.asgi.pages.markup import Child, Markup, joined, tag
from yieldwire.asgi.pages.value import label_of
from yieldwire.describe.schema import (
    VALUE,
    Definitions,
    Field,
    Schema,
    definitions_of,
    form_of,
    properties_of,
    resolved,
)
from yieldwire.errors import FieldErrors, Json

_LONG: Final = 200
"""A text that can have more characters than this gets several lines."""
_FEW: Final = 5
"""Of that many choices each gets a button, if they are the whole form."""
_TYPES: Final = {
    "date": ("date", re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)),
    "time": ("time", re.compile(r"\d{2}:\d{2}(:\d{2})?", re.ASCII)),
    "email": ("email", re.compile(r".*")),
    "uri": ("url", re.compile(r".*")),
    "integer": ("number", re.compile(r"-?\d+", re.ASCII)),
    "number": ("number", re.compile(r"-?\d+(\.\d+)?", re.ASCII)),
}
"""The control for a format or type, and the values that it can show; it hides all others."""


@dataclass(slots=True, kw_only=True)
class Form:
    """A plain form: a browser has sent it, or will.

    Attributes:
        title: The action's name in words, or the question.
        schema: The input, or the answer.
        takes_files: Whether a file can be part of it.
        target: The URL to send it to.
        values: What was sent, as far as it was read; ``None``: nothing yet.
        button: What the button says.
        ids: The start of its controls' ids, if a page has several forms.
        attributes: More attributes of its element.
    """

    title: str
    schema: Schema
    target: str
    takes_files: bool = False
    values: Json = None
    button: str = "Send again"
    ids: str = "field"
    attributes: Mapping[str, object] = field(default_factory=dict[str, object])

    async def fill(self, read: Callable[[], Awaitable[Json]]) -> Json:
        """Read the input, keep it as the form's values, and return it."""
        self.values = await read()
        return self.values

    def markup(self, errors: FieldErrors, *more: Child) -> Markup:
        """Return the form with its values, each error next to its field, and ``more`` last."""
        choices = self._choices()
        buttons = choices or [tag("button", self.button, class_="primary")]
        return tag(
            "form",
            None if choices else self._controls(errors),
            tag("div", buttons, *more, class_="buttons"),
            method="post",
            action=self.target,
            enctype="multipart/form-data" if self.takes_files else None,
            data_role="form",
            **self.attributes,
        )

    def _controls(self, errors: FieldErrors) -> list[Markup]:
        form, values = form_of(self.schema), self.values
        if form is not self.schema:
            values, errors = {VALUE: values}, {VALUE: [*chain.from_iterable(errors.values())]}
        sent: Mapping[str, Json] = values if isinstance(values, Mapping) else {}
        return [
            _Control(name, self.ids, each, form, sent, errors).markup()
            for name, each in properties_of(form).items()
        ]

    def _choices(self) -> list[Markup]:
        """Return a button for each value, if the answer is one of a few."""
        form = form_of(self.schema)
        if form is self.schema:
            return []
        every = Field.of(form["properties"][VALUE], definitions_of(form))
        values = [each for one in every.choices for each in _choices_of(one)]
        if every.kinds == {"boolean"}:
            values = [True, False]
        if every.kinds & {"array", "null"} or not 1 < len(values) <= _FEW:
            return []
        words = {"true": "Yes", "false": "No"} if every.kinds == {"boolean"} else {}
        texts = [_json_or_text(each) for each in values]
        return [tag("button", words.get(text, text), name=VALUE, value=text) for text in texts]

    def summary(self, errors: FieldErrors) -> Markup:
        """Return a list of the errors, each with a link to its field."""
        known = properties_of(self.schema)
        items: list[Child] = []
        for path, messages in errors.items():
            name = path.partition(".")[0]
            text = f"{_path_in_words(path, known)}: {' '.join(messages)}"
            if path == "_root":
                items.append(tag("li", " ".join(messages)))
            elif name in known:
                items.append(tag("li", tag("a", text, href=f"#{self.ids}-{name}")))
            else:
                items.append(tag("li", text))
        return tag("ul", items) if items else Markup()


def _path_in_words(path: str, properties: Mapping[str, Schema]) -> str:
    name, _, rest = path.partition(".")
    label = label_of(name, properties.get(name, {}))
    return f"{label} ({rest})" if rest else label


@dataclass(slots=True)
class _Control:
    """One field of a form: its label, its control or controls, its hint and its errors."""

    name: str
    ids: str
    schema: Schema
    root: Schema
    values: Mapping[str, Json]
    errors: FieldErrors
    kind: Field = field(init=False)
    one: Schema = field(init=False)
    """The schema of one value that is not null."""
    common: dict[str, Any] = field(init=False)
    """The attributes of each control."""

    def __post_init__(self) -> None:
        definitions: Definitions = definitions_of(self.root)
        self.kind = Field.of(self.schema, definitions)
        choices = [each for each in self.kind.choices if each.get("type") != "null"]
        self.one = choices[0] if choices else {}
        required: Sequence[str] = resolved(self.root, definitions).get("required", ())
        is_needed = self.name in required and not self.kind.is_list
        self.common = {
            "name": self.name,
            "required": is_needed and self.kind.kinds != {"boolean"},
            "aria_invalid": "true" if self._messages else None,
            "aria_describedby": " ".join(self._described) or None,
        }

    @property
    def _id(self) -> str:
        return f"{self.ids}-{self.name}"

    @property
    def _messages(self) -> list[str]:
        found: list[str] = []
        for path, messages in self.errors.items():
            name, _, rest = path.partition(".")
            if name == self.name:
                found += [f"{rest}: {text}" if rest else text for text in messages]
        return found

    @property
    def _described(self) -> list[str]:
        hint = [f"{self._id}-hint"] if self._hint else []
        return [*hint, f"{self._id}-error"] if self._messages else hint

    @property
    def _hint(self) -> str:
        described: str = self.schema.get("description") or ""
        return f"{described} Choose the file again.".strip() if self._has_lost_file else described

    @property
    def _has_lost_file(self) -> bool:
        given = self.values.get(self.name)
        return any(isinstance(each, Upload) for each in (given if _is_list(given) else [given]))

    def markup(self) -> Markup:
        """Return the whole field."""
        id_, label = self._id, label_of(self.name, self.schema)
        hint = tag("p", self._hint, id=f"{id_}-hint", class_="hint") if self._hint else None
        wrong = [tag("p", text, class_="wrong") for text in self._messages]
        wrongs = tag("div", wrong, id=f"{id_}-error") if wrong else None
        if self.kind.kinds == {"boolean"}:
            box = self._box(id_)
            return tag("div", box, tag("label", label, for_=id_), hint, wrongs, class_="field box")
        optional = "" if self.common["required"] else tag("span", " (optional)", class_="muted")
        head = tag("label", label, optional, for_=id_)
        return tag("div", head, hint, wrongs, self._controls(id_), class_="field")

    def _box(self, id_: str) -> Markup:
        given = self.values.get(self.name, self.schema.get("default", False))
        ticked = given in {True, "true", "on", "1"} if not _is_list(given) else False
        # Sent in any case, and the last one counts: an unticked box sends nothing.
        unticked = tag("input", type="hidden", name=self.name, value="false")
        box = tag("input", type="checkbox", id=id_, value="true", checked=ticked, **self.common)
        return joined(unticked, box)

    def _controls(self, id_: str) -> Markup:
        given = self.values.get(self.name, self.schema.get("default"))
        if self.kind.takes_file:
            return tag("input", type="file", id=id_, multiple=self.kind.is_list, **self.common)
        if not self.kind.is_list:
            return self._control(given, id_)
        if not self.kind.takes_text and not _has_scalars(self.kind):
            return _area(_json(given), {**self.common, "id": id_}, class_="code")
        known: list[Json] = given if _is_list(given) else [] if given is None else [given]
        every = [*known, None]  # an empty control counts as not sent
        common = {**self.common, "aria_label": label_of(self.name, self.schema)}
        self.common = common
        return joined(
            *(self._control(each, id_ if n == 0 else None) for n, each in enumerate(every))
        )

    def _control(self, value: Json, id_: str | None) -> Markup:
        common = {**self.common, "id": id_}
        choices = [choice for each in self.kind.choices for choice in _choices_of(each)]
        if choices:
            return self._select(value, choices, common)
        kinds = {kind for each in self.kind.choices for kind in _kinds_of(each)} - {"null"}
        if kinds & {"object", "array"} or (not kinds and not isinstance(value, str)):
            return _area(_json(value), common, class_="code")
        if self.one.get("format") == "password" or self.one.get("writeOnly"):
            return tag("input", type="password", autocomplete="off", **common)
        text = value if isinstance(value, str) else _json(value)
        if "\n" in text or self.one.get("maxLength", 0) > _LONG:
            return _area(text, common)
        kind, known = _TYPES.get(
            self.one.get("format") or (next(iter(kinds)) if len(kinds) == 1 else ""),
            ("text", re.compile("")),
        )
        if text and kind != "text" and not known.fullmatch(text):
            kind = "text"
        step = "any" if kind == "number" and kinds == {"number"} else None
        return tag("input", type=kind, value=text, step=step, **common)

    def _select(self, value: Json, choices: list[Json], common: dict[str, Any]) -> Markup:
        options = [
            tag("option", _json_or_text(each), value=_json_or_text(each), selected=each == value)
            for each in choices
            if each is not None
        ]
        if not common["required"] or value not in choices:
            options.insert(0, tag("option", "", value="", selected=value not in choices))
        return tag("select", options, **common)


def _area(text: str, common: dict[str, Any], class_: str | None = None) -> Markup:
    rows = min(12, max(3, text.count("\n") + 1))
    # A line break directly after the tag is dropped (WHATWG HTML 13.1.2.5).
    return tag("textarea", "\n", text, rows=rows, class_=class_, **common)


def _choices_of(schema: Schema) -> list[Json]:
    if "const" in schema:
        return [schema["const"]]
    return list(schema.get("enum", ()))


def _kinds_of(schema: Schema) -> Sequence[str]:
    declared: str | Sequence[str] = schema.get("type", ())
    return [declared] if isinstance(declared, str) else declared


def _has_scalars(of: Field) -> bool:
    kinds = {kind for each in of.items for kind in _kinds_of(each)}
    return bool(kinds) and not kinds & {"object", "array"}


def _is_list(value: Json) -> TypeGuard[list[Json]]:
    return isinstance(value, list)


def _json_or_text(value: Json) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Json) -> str:
    """Return a value as it is written in a form."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return to_json(value, indent=2, fallback=str).decode()
    return value if isinstance(value, str) else to_json(value, fallback=str).decode()
