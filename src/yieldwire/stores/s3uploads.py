"""Signs the requests with which clients write files to S3, or to a server with its interface."""

from base64 import b64encode
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from yieldwire.stores.direct import NewFile, SignedPut


class Signable(Protocol):
    """The files in a bucket, as signing needs them."""

    @property
    def filesystem(self) -> Any:  # noqa: ANN401 - an extra
        """The file system of fsspec."""
        ...

    def folder_of(self, name: str) -> str:
        """Return the prefix of a name's objects."""
        ...

    def explained(self) -> AbstractContextManager[None]:
        """Turn errors of the library into `OSError`."""
        ...


class S3Uploads:
    """Signed requests for one bucket: `DirectUploads`.

    The signature covers the length, the type and the SHA-256, which S3 compares with the content.
    """

    CONFIG: Final = {"signature_version": "s3v4"}
    """Settings of the client that signs. The version before does not cover headers."""

    def __init__(self, files: Signable) -> None:
        self._files = files

    def sign(self, name: str, file: NewFile, /, *, seconds: float) -> SignedPut:
        """Return the request that writes ``file`` below ``name``, until ``seconds`` from now.

        Raises:
            OSError: If there are no credentials to sign with.
        """
        checksum = b64encode(bytes.fromhex(file.sha256)).decode()
        with self._files.explained():
            url = self._files.filesystem.url(
                self._path(name, file),
                expires=int(seconds),
                client_method="put_object",
                ContentLength=file.size,
                ContentType=file.content_type,
                ChecksumSHA256=checksum,
            )
        headers = {"Content-Type": file.content_type, "x-amz-checksum-sha256": checksum}
        return SignedPut(url=url, headers=headers)

    def check(self, name: str, file: NewFile, /) -> None:
        """Return if the object has the size, and the hash if S3 knows it.

        Raises:
            FileNotFoundError: If it is not there, or is another one.
            OSError: If S3 cannot be asked.
        """
        bucket, key, _ = self._files.filesystem.split_path(self._path(name, file))
        with self._files.explained():
            head = self._files.filesystem.call_s3(
                "head_object", Bucket=bucket, Key=key, ChecksumMode="ENABLED"
            )
        expected = b64encode(bytes.fromhex(file.sha256)).decode()
        if head["ContentLength"] != file.size or head.get("ChecksumSHA256", expected) != expected:
            raise FileNotFoundError(file.sha256)

    def _path(self, name: str, file: NewFile) -> str:
        return f"{self._files.folder_of(name)}/{file.sha256}"
