"""A receiver of webhooks: it answers as a test says, and keeps what it was sent."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, cast

import httpx2
from pydantic_core import from_json

from yieldwire.errors import Json

URL: Final = "https://receiver.example/hook?token=t"
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
PUBLIC: Final = "93.184.216.34"

NEVER: Final = cast("Iterator[int]", iter(()))
"""No answers but the usual one."""


class Sent(NamedTuple):
    """One request to a receiver."""

    at: float
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The message's id."""
        return self.headers["webhook-id"]

    @property
    def payload(self) -> Json:
        """What it tells."""
        return from_json(self.body)


class Receiver(httpx2.AsyncBaseTransport):
    """Replaces the network: answers with each status of ``answers``, then with 204."""

    def __init__(
        self,
        answers: Iterator[int | Exception | httpx2.Response] = NEVER,
        now: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.answers, self._now = answers, now
        self.sent: Final[list[Sent]] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = dict(request.headers.items())
        self.sent.append(Sent(self._now(), str(request.url), headers, await request.aread()))
        answer = next(self.answers, 204)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(answer)

    @property
    def http(self) -> httpx2.AsyncClient:
        """A client whose every request comes here."""
        return httpx2.AsyncClient(transport=self)


async def resolve(_host: str, _port: int) -> list[str]:
    """Resolve every host to a public address."""
    return [PUBLIC]
