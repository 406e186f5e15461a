"""A webhook reaches no private address unless that is allowed, however its URL is written."""

import socket

import pytest

from yieldwire.webhooks.destination import (
    destination_of,
    is_allowed,
    is_public,
    is_url,
    resolved,
    shown_url,
)

PRIVATE = [
    "0.0.0.0",  # noqa: S104 - refused
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::1",
    "fc00::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "not an address",
]
PUBLIC = ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_only_the_server_can_reach_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_everyone_can_reach_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "address", "allow_private", "allowed"),
    [
        ("https://a.example", PUBLIC[0], False, True),
        ("https://a.example", "10.0.0.1", False, False),
        ("https://a.example", "10.0.0.1", True, True),
        ("http://a.example", PUBLIC[0], False, False),
        ("http://a.example", PUBLIC[0], True, False),
        ("http://a.example", "10.0.0.1", False, False),
        ("http://a.example", "10.0.0.1", True, True),
    ],
)
def test_private_addresses_need_permission_and_public_ones_tls(
    url: str, address: str, *, allow_private: bool, allowed: bool
) -> None:
    assert is_allowed(destination_of(url), address, allow_private=allow_private) is allowed


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example/hook",
        "ftp://a.example",
        "file:///etc/passwd",
        "https://",
        "https://user:password@a.example",
        "https://a.example\\@127.0.0.1/",
        "https://a.example/\r\nX: y",
        "https://a.example/ b",
        "https://ä.example",
        "https://a.example/#part",
        "https://[fe80::1%25eth0]/",
        "https://a.example:99999",
        "https://[::1",
        "https://a.example/" + "x" * 2_000,
        None,
        5,
    ],
)
def test_what_two_parsers_could_read_differently_is_not_a_url(url: object) -> None:
    assert not is_url(url)


def test_a_request_goes_to_the_address_and_names_the_host() -> None:
    destination = destination_of("https://A.example:8443/hook?x=1")

    assert (destination.host, destination.authority) == ("a.example", "A.example:8443")
    assert destination.url_at(PUBLIC[0]) == f"https://{PUBLIC[0]}:8443/hook?x=1"
    assert destination.url_at("2606::1") == "https://[2606::1]:8443/hook?x=1"
    assert destination_of("https://a.example").url_at("1.1.1.1") == "https://1.1.1.1:443/"


def test_a_url_in_a_log_has_no_path() -> None:
    assert shown_url("https://a.example/services/T0/secret?token=t") == "https://a.example/…"


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost"])
async def test_other_spellings_of_loopback_are_refused_as_what_they_resolve_to(host: str) -> None:
    try:
        addresses = await resolved(host, 443)
    except socket.gaierror:  # such a resolver is not dangerous
        return

    assert addresses
    assert not any(map(is_public, addresses))
