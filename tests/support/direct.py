"""An object store in this process to which clients can write, and an application with it."""

from io import BytesIO
from typing import Any
from uuid import uuid4

from yieldwire import Actions, Upload
from yieldwire.clock import Clock, SystemClock
from yieldwire.stores.direct import NewFile, SignedPut
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.objects import ObjectBlobs

SECRET = "0123456789abcdef" * 4


class MemoryUploads:
    """Signs requests that nobody answers: a test writes the file itself, by `write`."""

    def __init__(self, blobs: ObjectBlobs) -> None:
        self._blobs = blobs
        self.fault: OSError | None = None

    def sign(self, name: str, file: NewFile, /, *, seconds: float) -> SignedPut:
        if self.fault is not None:
            raise self.fault
        url = f"https://bucket.test/{name}/{file.sha256}?expires={seconds:g}"
        return SignedPut(url=url, headers={"Content-Type": file.content_type})

    def check(self, name: str, file: NewFile, /) -> None:
        if self.fault is not None:
            raise self.fault
        path = f"{self._blobs.folder_of(name)}/{file.sha256}"
        if self._blobs.filesystem.size(path) != file.size:
            raise FileNotFoundError(path)

    def write(self, url: str, content: bytes) -> None:
        """Write a file as a signed request does."""
        name, sha256 = url.partition("?")[0].split("/")[-2:]
        self._blobs.of(name).keep([(sha256, BytesIO(content))])


class DirectStore(MemoryStore):
    """A store of runs whose files are in such an object store."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.far = ObjectBlobs.at(f"memory://{uuid4().hex}", clock or SystemClock())
        self.uploads = self.far.direct = MemoryUploads(self.far)
        self.blobs = self.far  # type: ignore[assignment]


def counting(store: DirectStore | None, *, secret: str | None = SECRET, **settings: Any) -> Actions:  # noqa: ANN401 - those of `Actions`
    """Return an application whose action says what is in its files."""
    actions = Actions(store=store or "memory", secret=secret, **settings)

    @actions.action
    async def length(file: Upload, more: Upload | None = None) -> str:
        content = await file.read() + (await more.read() if more else b"")
        return f"{file.filename} {file.content_type} {content.decode()}"

    @actions.action
    async def plain(n: int) -> int:
        return n

    return actions
