"""A request to a checked address still proves that it has reached the host of its URL."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from tests.support.receiver import SECRET
from yieldwire.log.delivery import Delivery
from yieldwire.webhooks import Webhook
from yieldwire.webhooks.posting import NotDelivered, post

CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLllikwX2fO0NKIyc
jPpuJcwBdVeFjz+BdKeVR3xjrs2hRANCAAS74FumpzwRSu2l3J2+rmo/fr/4HTLT
r5H5bFbUQoWaaaT82wwtC2okZ+s0iV+baMRjplsulad2esCeRgKeWXhL
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBqTCCAVCgAwIBAgIUOU+pzWbXOdxeoLnL5RDZiERlarowCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQcmVjZWl2ZXIuZXhhbXBsZTAgFw0yNjExMjkxNDAzNTNaGA8y
MTI2MTEwNTE0MDM1M1owGzEZMBcGA1UEAwwQcmVjZWl2ZXIuZXhhbXBsZTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABLvgW6anPBFK7aXcnb6uaj9+v/gdMtOvkfls
VtRChZpppPzbDC0LaiRn6zSJX5toxGOmWy6Vp3Z6wJ5GAp5ZeEujcDBuMB0GA1Ud
DgQWBBTL+lRffie/KCxn0Nqpfhdj7ZZmAjAfBgNVHSMEGDAWgBTL+lRffie/KCxn
0Nqpfhdj7ZZmAjAPBgNVHRMBAf8EBTADAQH/MBsGA1UdEQQUMBKCEHJlY2VpdmVy
LmV4YW1wbGUwCgYIKoZIzj0EAwIDRwAwRAIgelFNS+kIWSLrFP/OMfO0NcxZFq0s
SkejMRvtVHWbJSACIDVqAmHq2aqQewnJz9q21ojTMHfNYcJ+HERBjkQdQ5iJ
-----END CERTIFICATE-----
"""
"""Of ``receiver.example``, valid for a hundred years, and its key."""


@asynccontextmanager
async def served(file: Path) -> AsyncGenerator[tuple[int, list[str]]]:
    """Serve with the certificate, and give the port and what is seen: names and heads."""
    seen = list[str]()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    await asyncio.to_thread(context.load_cert_chain, file)
    context.sni_callback = lambda _socket, name, _context: seen.append(str(name))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head.decode().split("\r\n")[1])
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1], seen


async def loopback(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


async def test_the_certificate_is_checked_for_the_host_and_not_for_its_address(
    tmp_path: Path,
) -> None:
    file = tmp_path / "receiver.pem"
    file.write_text(CERTIFICATE)
    trusted = await asyncio.to_thread(ssl.create_default_context, cafile=str(file))
    delivery = Delivery("r1_3", "", "r1", None, b"{}")
    async with served(file) as (port, seen), httpx2.AsyncClient(verify=trusted) as http:
        for name in ("receiver.example", "other.example"):
            hook = Webhook(f"https://{name}:{port}/hook", SECRET, allow_private=True)
            if name == "receiver.example":
                await post(http, hook, delivery, 0.0, loopback)
            else:
                with pytest.raises(NotDelivered, match=r"not valid for 'other.example'"):
                    await post(http, hook, delivery, 0.0, loopback)

    assert seen == ["receiver.example", f"host: receiver.example:{port}", "other.example"]
