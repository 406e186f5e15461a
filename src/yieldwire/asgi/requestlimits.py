"""How large a request and a whole answer can be, and how many streams one caller can have."""

from dataclasses import dataclass
from typing import Annotated, Final

from yieldwire.setting import Count, CountOrZero, Rule, is_number, settings

_RATE: Final = Rule(
    lambda value: is_number(value) and value >= 0,
    "a number of bytes per second (0 for no minimum rate)",
)


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """Limits of one request and its answer.

    Attributes:
        json_bytes: Bytes of a JSON or form body, or of all fields of a multipart one. JSON next
            to files can have 1 KiB more for each of ``files``, which says where they belong.
        upload_bytes: Bytes of a multipart body, including files, or of the files in one place for
            direct uploads.
        files: Files in a multipart body, or in one place.
        fields: Fields in a form that are not files.
        field_bytes: Bytes of one field of a multipart form that is not a file.
        body_rate: Bytes per second at which a body must arrive on average, once it has taken
            longer than `Timing.body`; 0 for no minimum rate.
        depth: How deep arrays and objects can nest.
        answer_bytes: Bytes of the events in one JSON answer; stream a larger log.
        answers_bytes: Bytes of events that all JSON answers of a process hold together, not
            counting the first 64 kB of each.
        streams: Streams and waiting answers that one caller can have open at a time.
        socket_requests: Requests that one WebSocket can have open at a time.
        links: Requests with links to questions that one address can send in a minute.
        places: Places for direct uploads that one caller can ask for in a minute.
    """

    json_bytes: Count = 1024 * 1024
    upload_bytes: Count = 1024 * 1024 * 1024
    files: CountOrZero = 100
    fields: CountOrZero = 1000
    field_bytes: Count = 1024 * 1024
    body_rate: Annotated[float, _RATE] = 240
    depth: Count = 32
    answer_bytes: Count = 16 * 1024 * 1024
    answers_bytes: CountOrZero = 64 * 1024 * 1024
    streams: Count = 5000
    socket_requests: Count = 1000
    links: Count = 60
    places: Count = 60


class Allowance:
    """A shared amount, such as of bytes, of which callers take what they need for a time."""

    def __init__(self, size: int) -> None:
        self.left: int = size

    def take(self, size: int) -> bool:
        """Take ``size`` of it, and return whether that much was free."""
        if size > self.left:
            return False
        self.left -= size
        return True

    def give_back(self, size: int) -> None:
        """Give ``size`` of it back."""
        self.left += size
