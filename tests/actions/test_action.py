"""An action is its function, with a name and options that fit."""

import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import BaseModel

from yieldwire import Stream
from yieldwire.actions.action import RESERVED, Action, Options
from yieldwire.actions.upload import Upload
from yieldwire.errors import ActionError, InvalidAction, Unreachable, UsageError
from yieldwire.log.chunks import Progress, Result, Text


async def import_contacts(file: Upload, dry_run: bool = False) -> AsyncIterator[Progress]:  # noqa: FBT001, FBT002 - a field of the input
    """Import contacts.

    One row at a time,
      in order.
    """
    yield Progress(1)


async def answer(number: int, *, times: int = 1) -> int:
    return number * times


def named(name: str) -> Callable[[], object]:
    async def function() -> AsyncIterator[Text]:
        yield Text("a")

    function.__name__ = name
    return function


async def test_calling_an_action_calls_the_function() -> None:
    action: Action[..., Any, Any] = Action(answer, Options())

    assert await action(3, times=2) == 6
    assert action.function is answer


async def itself(self: int, function: int) -> int:
    return self + function


async def test_an_action_can_be_called_with_parameters_of_any_name() -> None:
    assert await Action(itself, Options())(self=1, function=2) == 3


def test_an_action_looks_like_its_function() -> None:
    action: Action[..., Any, Any] = Action(answer, Options())

    assert (action.__name__, action.__wrapped__) == ("answer", answer)  # type: ignore[attr-defined]
    assert repr(action) == "<Action answer>"


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("import_contacts", "importContacts"),
        ("answer", "answer"),
        ("a_b_c", "aBC"),
        ("top10_list", "top10List"),
        ("trailing_", "trailing"),
        ("already_camelCase", "alreadyCamelCase"),
    ],
)
def test_the_alias_is_the_name_in_camel_case(name: str, alias: str) -> None:
    assert Action(named(name), Options()).alias == alias


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_name_of_a_route_or_of_every_javascript_object_is_refused(name: str) -> None:
    with pytest.raises(InvalidAction, match=f"'{name}' cannot be an action's name"):
        Action(named(name), Options())


@pytest.mark.parametrize("name", ["runs_", "then_", "to_string", "value_of", "has_own_property"])
def test_a_name_whose_alias_is_reserved_is_refused(name: str) -> None:
    with pytest.raises(InvalidAction, match=f"{name!r} cannot be an action's name"):
        Action(named(name), Options())


@pytest.mark.parametrize(
    "name", ["", "_private", "<lambda>", "manifest.json", "1st", "na\u00efve", "a-b", "x" * 101]
)
def test_a_name_is_a_plain_word(name: str) -> None:
    with pytest.raises(InvalidAction, match="cannot be an action's name"):
        Action(named(name), Options())


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (import_contacts, Options(shared=True), "shared= and keep= are for feeds"),
        (import_contacts, Options(keep=5), "shared= and keep= are for feeds"),
        (import_contacts, Options(is_feed=True), "'file' takes a file, which a GET cannot carry"),
        (answer, Options(is_feed=True), "a feed streams"),
    ],
    ids=["shared", "kept", "takes a file", "streams nothing"],
)
def test_options_that_do_not_fit_are_told(
    function: Callable[..., Any], options: Options, message: str
) -> None:
    with pytest.raises(InvalidAction, match=message):
        Action(function, options)


def test_a_feed_can_be_shared_and_keep_its_newest_events() -> None:
    action: Action[..., Any, Any] = Action(
        named("ticker"), Options(is_feed=True, shared=True, keep=1)
    )

    assert (action.options.shared, action.options.keep) == (True, 1)


def test_the_doc_has_no_doctests() -> None:
    async def add(a: int, b: int) -> int:
        """Add two numbers.

        They can be negative.

        Example:
            >>> add(1, 2)
            3
            >>> add(-1, -2)
            -3

        Examples: 1 and 2 are fine.
        """
        return a + b

    assert Action(add, Options()).doc == (
        "Add two numbers.\n\nThey can be negative.\n\nExamples: 1 and 2 are fine."
    )


def test_the_doc_is_the_docstring_without_its_indentation() -> None:
    assert Action(import_contacts, Options()).doc == (
        "Import contacts.\n\nOne row at a time,\nin order."
    )
    assert Action(answer, Options()).doc == ""


class OutOfCredit(ActionError):
    """The caller's credit
    is used up.
    """

    code = "OUT_OF_CREDIT"
    status = 402


def test_the_manifest_tells_callers_which_errors_to_expect() -> None:
    action: Action[..., Any, Any] = Action(answer, Options(errors=[OutOfCredit, "TOO_LATE"]))

    assert action.declared_errors == [
        {
            "code": "OUT_OF_CREDIT",
            "status": 402,
            "retryable": False,
            "doc": "The caller's credit\nis used up.",
        },
        {"code": "TOO_LATE", "status": None, "retryable": None, "doc": ""},
    ]


class Soon(ActionError):
    """A counter is closed for some minutes."""

    code = "SOON"
    data: dict[str, int]


def test_an_errors_data_has_the_type_that_its_class_says() -> None:
    action: Action[..., Any, Any] = Action(answer, Options(errors=[Soon]))

    [declared] = action.declared_errors
    assert declared["data"] == {"additionalProperties": {"type": "integer"}, "type": "object"}


def test_data_that_cannot_be_sent_is_not_declared() -> None:
    class Wrong(ActionError):
        code = "WRONG"
        data: ActionError

    with pytest.raises(InvalidAction, match=r"answer: the type of data of Wrong cannot be"):
        Action(answer, Options(errors=[Wrong]))


@pytest.mark.parametrize(
    "error", ["too late", "", "BAD_REQUEST", ActionError, Unreachable, ValueError, 3]
)
def test_an_error_without_a_code_is_not_a_declared_error(error: Any) -> None:  # noqa: ANN401 - anything
    with pytest.raises(InvalidAction, match=r"in errors= is neither a code"):
        Action(answer, Options(errors=[error]))


def test_a_code_alone_is_not_a_list_of_codes() -> None:
    with pytest.raises(UsageError, match=r"'TOO_LATE' is not a list of errors; write \['TOO"):
        Options(errors="TOO_LATE")


def test_a_code_is_declared_once() -> None:
    with pytest.raises(InvalidAction, match="errors= names a code twice"):
        Action(answer, Options(errors=[OutOfCredit, "OUT_OF_CREDIT"]))


def test_an_action_knows_whether_it_takes_files() -> None:
    with_files: Action[..., Any, Any] = Action(import_contacts, Options())
    without: Action[..., Any, Any] = Action(answer, Options())

    assert (with_files.takes_files, without.takes_files) == (True, False)


@pytest.mark.parametrize("labels", ["nightly", ("",), (7,), tuple(map(str, range(40)))])
def test_labels_that_cannot_be_are_refused_with_the_actions_name(labels: Any) -> None:  # noqa: ANN401 - a mistake
    with pytest.raises(InvalidAction, match=r"^answer: .*label"):
        Action(answer, Options(labels=labels))


class Report(BaseModel):
    pages: int


async def yields_anything() -> AsyncIterator[Text]:
    yield Text("a")


async def yields_report() -> AsyncIterator[Text | Result[Report]]:
    yield Text("a")


async def returns_text() -> str:
    return ""


async def returns_nothing(stream: Stream[Text]) -> None: ...


def unannotated(pages):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - that is meant
    return pages


@pytest.mark.parametrize("function", [yields_anything, yields_report, unannotated])
def test_the_result_is_of_the_type_that_the_option_says(function: Callable[..., Any]) -> None:
    action: Action[..., Any, Any] = Action(function, Options(result=Report))

    assert action.signature.result.annotation is Report
    assert action.signature.result.json_schema["title"] == "Report"


@pytest.mark.parametrize("function", [returns_text, returns_nothing, yields_report])
def test_an_option_that_contradicts_the_annotations_is_refused(
    function: Callable[..., Any],
) -> None:
    with pytest.raises(InvalidAction, match="result=int contradicts"):
        Action(function, Options(result=int))


@pytest.mark.parametrize(
    "result", [object(), 3, "Report", threading.Thread, list[threading.Thread], Result[int]]
)
def test_a_result_that_is_not_a_json_type_is_told_in_one_line(result: object) -> None:
    with pytest.raises(InvalidAction, match=r"^yields_anything: [^\n]*result[^\n]*; [^\n]+$"):
        Action(yields_anything, Options(result=result))
