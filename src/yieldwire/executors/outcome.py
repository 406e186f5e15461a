"""What the end of a run says: its result, or its error as callers see it."""

import logging
import secrets
from collections.abc import Iterator
from typing import Any, Final

from pydantic_core import to_json

from yieldwire.actions.action import Action
from yieldwire.actions.shape import Shape
from yieldwire.errors import CallError, InternalError, RunError, YieldwireError
from yieldwire.errors.debug import cut, debug_of, place_of
from yieldwire.log.jsonvalue import check_readable
from yieldwire.log.misfit import invalid_output
from yieldwire.log.run import RunRecord

logger: Final = logging.getLogger("yieldwire.worker")


def result_data(action: Action[..., Any, Any], result: object) -> bytes:
    """Return the data of the `done` event.

    Raises:
        InvalidOutput: If the result does not match its type, or cannot be written as JSON.
    """
    output = action.signature.result
    if result is None and (output.annotation is None or output.annotation is Any):
        return b"{}"
    if result is None and action.signature.shape is Shape.VALUE:
        return b'{"result":null}'  # it was never set
    try:
        data = output.encode_checked(result)
        check_readable(data)
        return b'{"result":%b}' % data
    except Exception as exc:
        unsaid = invalid_output(action.name, "result", result, exc)
        unsaid.add_note(place_of(action.function))
        raise unsaid from exc


def error_data(run: RunRecord, exc: BaseException, *, shows_debug: bool) -> bytes:
    """Return the data of the `error` or `cancelled` event; an unexpected error is logged."""
    error = _declared(run, exc, shows_debug=shows_debug)
    told: object = error
    try:
        told = error.error_object(run.id).to_dict()
        data = to_json(told)
        check_readable(data)
    except Exception as fault:  # noqa: BLE001 - the action's own error object can be faulty
        unsaid = invalid_output(run.action, "error", told, fault)
        unsaid.__cause__ = exc
        return error_data(run, unsaid, shows_debug=shows_debug)
    return data


def _declared(run: RunRecord, exc: BaseException, *, shows_debug: bool) -> YieldwireError:
    if isinstance(exc, (CallError, RunError)):
        return exc
    shown = debug_of(cut(exc)) if shows_debug else None
    error = InternalError(secrets.token_hex(8), shown)
    logger.error(
        "run failed: %s, error id %s",
        run.action,
        error.error_id,
        exc_info=cut(exc),
        extra={"run_id": run.id, "error_id": error.error_id},
    )
    return error


def one_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error of the run for a group: its one error, a declared one, or all of them.

    If a declared error is chosen, the others are logged.
    """
    every = list(_leaves(errors))
    declared = next((each for each in every if isinstance(each, (CallError, RunError))), None)
    if len(every) > 1 and declared is not None:
        logger.error("a run failed with more errors than the one it reports", exc_info=cut(errors))
    return declared or (every[0] if len(every) == 1 else errors)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    waiting = [error]
    while waiting:  # a loop, because groups can be nested deeper than the recursion limit
        each = waiting.pop()
        if isinstance(each, BaseExceptionGroup):
            waiting += reversed(each.exceptions)
        else:
            yield each
