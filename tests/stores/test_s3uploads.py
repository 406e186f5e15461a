"""Clients write to S3 by signed requests, each of which is for one file."""

from hashlib import sha256
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx2
import pytest

from tests.support.objectstore import s3_blobs
from yieldwire.stores.direct import DirectUploads, NewFile


def file_of(content: bytes) -> NewFile:
    digest = sha256(content).hexdigest()
    return NewFile(sha256=digest, size=len(content), content_type="text/csv")


@pytest.fixture(scope="module")
def direct() -> DirectUploads:
    direct = s3_blobs().direct
    assert direct is not None
    return direct


@pytest.fixture
def name() -> str:
    return f"r{uuid4().hex}"


@pytest.mark.parametrize("content", [b"hello", b""])
def test_a_file_that_was_written_by_a_signed_request_is_there(
    direct: DirectUploads, name: str, content: bytes
) -> None:
    file = file_of(content)
    request = direct.sign(name, file, seconds=60)

    answer = httpx2.put(request.url, content=content, headers=dict(request.headers))

    assert answer.status_code == 200
    direct.check(name, file)
    with s3_blobs().of(name).open(file.sha256) as kept:
        assert kept.read() == content


def test_the_signature_covers_size_type_and_hash_for_a_time(
    direct: DirectUploads, name: str
) -> None:
    request = direct.sign(name, file_of(b"hello"), seconds=60)

    query = parse_qs(urlsplit(request.url).query)
    assert query["X-Amz-SignedHeaders"] == [
        "content-length;content-type;host;x-amz-checksum-sha256"
    ]
    assert query["X-Amz-Expires"] == ["60"]
    assert request.headers == {
        "Content-Type": "text/csv",
        "x-amz-checksum-sha256": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
    }


@pytest.mark.parametrize("written", [None, b"hell", b"hello you"])
def test_a_file_that_is_not_there_or_another_one_is_told(
    direct: DirectUploads, name: str, written: bytes | None
) -> None:
    file = file_of(b"hello")
    if written is not None:
        request = direct.sign(name, file, seconds=60)
        httpx2.put(request.url, content=written, headers=dict(request.headers))

    with pytest.raises(FileNotFoundError, match=r"\w"):
        direct.check(name, file)
