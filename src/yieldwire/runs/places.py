"""Places for files that clients write to the object store themselves, before their start.

Theory of operation. A place is the id of a run that does not exist yet. Its files are written
where those of the run's input belong, so a start moves nothing, and what is never started is left
over like the files of a killed process. Nothing is kept for a place: the client gets the id,
signed, with a digest of the caller, the action and the idempotency key that the start must have.
So a place is of use to one start, however often that is repeated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from yieldwire.actions.upload import KeptFile, Upload
from yieldwire.clock import Clock
from yieldwire.errors import Forbidden, NotFound, ParseError, StoreError, ValidationFailed
from yieldwire.runs.blocking import carry_out
from yieldwire.runs.files import RunFiles
from yieldwire.runs.signing import Signer
from yieldwire.runs.start import StartRequest, scoped_key
from yieldwire.stores.direct import NewFile, SignedPut

T = TypeVar("T")

URL_SECONDS: Final = 3600.0
"""For how long a file can begin to be written."""
PLACE_SECONDS: Final = 12 * 3600.0
"""For how long a start can use its place: less than its files are kept without a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPlace:
    """A place, and how to write its files.

    Attributes:
        signed: What the start sends.
        uploads: How to write each file, in their order.
    """

    signed: str
    uploads: Sequence[SignedPut]


class Places:
    """The places of one application."""

    def __init__(self, files: RunFiles, signer: Signer, clock: Clock) -> None:
        self._files, self._signer, self._clock = files, signer, clock

    @property
    def are_offered(self) -> bool:
        """Whether clients can write files themselves: there are a secret and an object store."""
        return self._signer.can_sign and self._files.blobs.direct is not None

    async def reserve(
        self, run_id: str, request: StartRequest, files: Sequence[NewFile]
    ) -> UploadPlace:
        """Return a place for the files of a start with the same action, caller and key.

        Raises:
            NotFound: If the server does not offer it.
            ParseError: If there is no idempotency key, or an anonymous one is too short.
            StoreError: If the object store fails.
        """
        direct = self._files.blobs.direct
        if direct is None or not self._signer.can_sign:
            raise NotFound("Files can only be sent with the start.")
        until = self._clock.now() + PLACE_SECONDS
        told: dict[str, str | int] = {"run": run_id, "key": _key_of(request), "until": round(until)}
        sign = partial(direct.sign, run_id, seconds=URL_SECONDS)
        uploads = await _asked(lambda: [sign(file) for file in files])
        return UploadPlace(signed=self._signer.sign_place(told), uploads=uploads)

    def run_id_of(self, signed: str, request: StartRequest) -> str:
        """Return the id of the run that ``request`` starts with its place.

        Raises:
            Forbidden: If it is not a place of this application, or of another start, or too old.
        """
        told = self._signer.read_place(signed)
        if told["key"] != _key_of(request):
            raise Forbidden("This place for uploads belongs to another start.")
        if told["until"] <= self._clock.now():
            raise Forbidden("This place for uploads has expired; upload the files again.")
        return str(told["run"])

    async def find(self, run_id: str, file: NewFile) -> Upload:
        """Return a file that was written to a place. It is not open.

        If the run exists, its files can be deleted already; the start is a repeat of its own.

        Raises:
            ValidationFailed: If it was not written, or is another one.
            StoreError: If the object store, or the store, cannot be asked.
        """
        direct, files = self._files.blobs.direct, self._files.of_input(run_id)
        try:
            if direct is None:  # the place is of a time when the server had an object store
                raise FileNotFoundError(file.sha256)
            await _asked(partial(direct.check, run_id, file))
        except FileNotFoundError:
            if not await self.has_run(run_id):
                reason = f"The file {file.sha256} was not uploaded to this place."
                raise ValidationFailed({"_root": [reason]}) from None
        kept = KeptFile(partial(files.open, file.sha256), file.size, file.sha256)
        return Upload(kept, content_type=file.content_type)

    async def has_run(self, run_id: str) -> bool:
        """Return whether a start has used the place."""
        try:
            await self._files.store.get(run_id)
        except NotFound:
            return False
        return True


def _key_of(request: StartRequest) -> str:
    if request.key is None:
        raise ParseError("A place for uploads needs the Idempotency-Key of the start.")
    return scoped_key(request.action, request.caller.owner, request.key)


async def _asked(ask: Callable[[], T]) -> T:
    try:
        return await carry_out(ask)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise StoreError(f"The object store cannot be asked: {exc}.") from exc
