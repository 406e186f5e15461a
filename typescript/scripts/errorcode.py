"""Write `src/core/code.ts`, the codes of the framework's errors, from `yieldwire.errors`."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from yieldwire import errors
from yieldwire.errors import CallError, RunError, Unreachable, YieldwireError

TARGET: Final = Path(__file__).parent.parent / "src" / "core" / "code.ts"

PAGE: Final = """\
/** Error codes. Written by `make generate` from `src/yieldwire/errors`; change it there. */

/** The codes that every action can end with, in addition to its own. */
export type ProtocolCode ={sent}
  // Of a streamable value that ends with only a message.
  | "FAILED"
  // Made by clients and never sent.{made};
"""


def page() -> str:
    """Return the module's text."""
    families = (CallError, RunError)
    classes = [one for one in vars(errors).values() if isinstance(one, type)]
    coded = [one for one in classes if issubclass(one, families) and "code" in vars(one)]
    sent = [one for one in coded if one is not Unreachable]
    codes = dict.fromkeys([YieldwireError.code, *(str(vars(one)["code"]) for one in sent)])
    made = (Unreachable("").code, "PROTOCOL_ERROR", "HTTP_ERROR", "FILE_UNREADABLE")
    return PAGE.format(sent=_members(codes), made=_members(made))


def _members(codes: Iterable[str]) -> str:
    return "".join(f'\n  | "{code}"' for code in codes)


if __name__ == "__main__":
    if "-" in sys.argv:
        sys.stdout.write(page())
    else:
        TARGET.write_text(page(), "utf-8")
