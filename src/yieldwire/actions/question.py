"""A question that an action asks the readers of its run."""

import re
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import to_json

from yieldwire.errors import Json, UsageError
from yieldwire.log.jsonvalue import json_fault
from yieldwire.setting import SOME_SECONDS, optional, shown

UNSET: Final[Any] = object()
"""No default: an answer is needed."""
_ID: Final = re.compile(r"[A-Za-z0-9_.~-]{1,100}", re.ASCII)
_TIMEOUT: Final = optional(SOME_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """What `Context.ask` was called with.

    Raises:
        UsageError: If an argument is invalid.
    """

    kind: object
    prompt: str
    timeout: float | None
    default: Any
    id: str | None
    detail: Json

    def __post_init__(self) -> None:
        """Check the arguments."""
        if not isinstance(self.prompt, str) or not self.prompt.strip():
            raise UsageError(f"ask(): {shown(self.prompt)} is not a prompt, which is a string.")
        if self.id is not None and (not isinstance(self.id, str) or not _ID.fullmatch(self.id)):
            raise UsageError(
                f"ask(): id={shown(self.id)} is not an id: 1 to 100 letters, digits and -._~"
            )
        if (fault := _TIMEOUT.fault(self.timeout)) is not None:
            raise UsageError(f"ask(): timeout={shown(self.timeout)} {fault}.")
        if self.default is not UNSET and self.timeout is None:
            raise UsageError("ask(): default= is for when timeout= is over; give both.")
        if (fault := json_fault(self.detail, "detail")) is not None:
            raise UsageError(f"ask(): {fault}, which is not plain JSON.")

    def data(self, question_id: str, name: str, schema: Json, expires_at: str | None) -> bytes:
        """Return the data of its event."""
        told = {"id": question_id, "prompt": self.prompt, "name": name, "schema": schema}
        if self.detail is not None:
            told["detail"] = self.detail
        if expires_at is not None:
            told["expiresAt"] = expires_at
        return to_json(told)
