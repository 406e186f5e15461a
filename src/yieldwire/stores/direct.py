"""Files that clients write to the object store themselves, by signed URLs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file that a client wants to write.

    Attributes:
        sha256: The SHA-256 of its content as hexadecimal digits: its name.
        size: Its bytes.
        content_type: Its media type.
    """

    sha256: str
    size: int
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPut:
    """A request with which everybody who has it can write one file, and no other content.

    Attributes:
        url: Where to send it, by PUT.
        headers: What it must have, in addition to the file's length.
    """

    url: str
    headers: Mapping[str, str]


class DirectUploads(Protocol):
    """What lets clients write the files of a name. It blocks, and is called in a thread."""

    def sign(self, name: str, file: NewFile, /, *, seconds: float) -> SignedPut:
        """Return the request that writes ``file`` below ``name``, until ``seconds`` from now.

        Raises:
            OSError: If it cannot be signed.
        """
        ...

    def check(self, name: str, file: NewFile, /) -> None:
        """Return if the file is there, with its size and, where that is known, its hash.

        Raises:
            FileNotFoundError: If it is not there, or is another one.
            OSError: If the object store cannot be asked.
        """
        ...
