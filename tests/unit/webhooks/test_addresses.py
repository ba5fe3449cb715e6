"""Where webhooks may go: nowhere into our own network, however it is written."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from worker.http_client.addresses import ForbiddenAddressError, is_public, resolved
from worker.webhooks.addresses import Allowed, checked_url
from worker.webhooks.errors import UnusableUrlError

NOTHING = Allowed()

INWARD = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",  # noqa: S104 - no server listens there
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.0.170",
    "192.88.99.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:0a00:0001::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "100::1",
    "::ffff:0:7f00:1",
    "::ffff:0:8.8.8.8",
    "64:ff9b:1::808:808",
    "2001:10::1",
    "2001:20::1",
    "2001:2::1",
    "3fff::1",
    "5f00::1",
    "4000::1",
    "fe80::5efe:7f00:1",
    "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:a9fe:a9fe",
]
OUTWARD = ["1.1.1.1", "93.184.216.34", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]

SPELT = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://app.localhost/",
    "https://127.0.0.1./",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[0:0:0:0:0:ffff:7f00:0001]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[fe80::1%25eth0]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://2852039166/",
    "https://10.0.0.1:8443/x",
    "https://192.168.0.1/",
    "https://user@1.1.1.1/",
    "https://user:password@example.org/",
    "https://1.1.1.1#@127.0.0.1/",
    "https://example.org\\@127.0.0.1/",
    "https://example.org:0/",
    "https://example.org:99999/",
    "https://example.org:x/",
    "https://",
    "https:///path",
    "https:example.org",
    "//example.org/",
    "example.org",
    "",
    "http://example.org/",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "javascript:alert(1)",
    "data:text/plain,x",
    "https://exa mple.org/",
    "https://example.org/\r\nX-Injected: 1",
    "https://example.org/\x00",
    "https://example.org/\t",
    "https://①②⑦.0.0.1/",
    "https://ex\u00e4mple.org/",
    "https://[::1/",
    "https://[]/",
    "https://example.org/" + "a" * 2_000,
]


@pytest.mark.parametrize("address", INWARD)
def test_addresses_that_lead_inward_are_not_public(address: str) -> None:
    """Private, loopback, link-local, reserved, and whatever carries one of them inside."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OUTWARD)
def test_public_addresses_are_public(address: str) -> None:
    """Those of the internet."""
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("url", SPELT)
def test_no_spelling_of_a_forbidden_place_is_taken(url: str) -> None:
    """Spellings that a resolver or another parser would take for an internal address are refused on creation."""
    with pytest.raises(UnusableUrlError):
        checked_url(url, NOTHING)


@pytest.mark.parametrize("url", ["https://example.org/hook?a=1", "https://example.org:8443/", "https://1.1.1.1/"])
def test_a_plain_address_is_taken_as_it_is(url: str) -> None:
    """The public internet over TLS."""
    assert checked_url(url, NOTHING) == url


def test_what_the_operator_allows_is_taken() -> None:
    """Networks and names; nothing beside them, and over plain HTTP nothing else."""
    allowed = Allowed.parse(["127.0.0.0/8", " hooks.lan", "::1"])
    assert checked_url("http://127.0.0.1:9000/x", allowed)
    assert checked_url("http://hooks.lan/x", allowed)
    assert checked_url("https://[::1]/x", allowed)
    for other in ("http://10.0.0.1/", "http://example.org/", "http://shooks.lan/", "http://hooks.lan.example.org/"):
        with pytest.raises(UnusableUrlError):
            checked_url(other, allowed)


@pytest.mark.parametrize("word", ["10.0.0.0/99", "300.1.1.1"])
def test_an_allowance_that_means_nothing_is_refused(word: str) -> None:
    """A mistyped network must not quietly permit nothing, or too much."""
    with pytest.raises(ValueError, match="does not appear"):
        Allowed.parse([word])


def test_a_name_is_judged_by_what_it_means_at_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that was public on creation, and now resolves to an internal address, is not connected to."""
    answers = iter(["93.184.216.34", "127.0.0.1"])

    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:  # noqa: ARG001 - the resolver's signature
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert resolved("rebinding.example", 443, NOTHING.permits) == [(socket.AF_INET, ("93.184.216.34", 443))]
    with pytest.raises(ForbiddenAddressError):
        resolved("rebinding.example", 443, NOTHING.permits)


def test_of_many_addresses_only_the_public_ones_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with one good and one bad address is reached at the good one."""

    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:  # noqa: ARG001 - as above
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("10.0.0.1", "1.1.1.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert resolved("both.example", 443, NOTHING.permits) == [(socket.AF_INET, ("1.1.1.1", 443))]
