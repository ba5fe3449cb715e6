"""The addresses and keys that a client takes, and what it shows of them."""

from __future__ import annotations

import pytest

from ttsq_client import Client
from ttsq_client.address import Address, Proxies

KEY = "ttsq_0123456789abcdef"


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https://example.org/", "https://example.org"),
        ("https://example.org/speech/", "https://example.org/speech"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_a_base_may_have_a_path(given: str, base: str) -> None:
    """And a slash at its end."""
    assert Address.parse(given).url("/v1/jobs", {"a": ["1", "2"], "b": None}) == f"{base}/v1/jobs?a=1&a=2"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "example.org",
        "ftp://example.org",
        "https://",
        "https://a:secret-word@example.org",
        "https://example.org/?secret-word",
        "https://example.org/#secret-word",
        "https://example.org:0",
        "https://example.org:99999",
        "https://exam ple.org",
        "https://example.org\r\nX: y",
        "https://example.org\\@other.org",
        "https://[::1",
        "https://\u0435xample.org",
    ],
)
def test_other_addresses_are_refused(given: str) -> None:
    """With the remedy, and without a password."""
    with pytest.raises(ValueError, match="address") as error:
        Client(given)
    assert "secret-word" not in str(error.value)


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY} x", f"{KEY}\u00e9", f"{KEY}\r\nX: y", ""])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(key: str) -> None:
    """A line break would end its header."""
    with pytest.raises(ValueError, match="key") as error:
        Client("https://example.org", key)
    assert KEY not in str(error.value)


def test_a_key_is_never_shown() -> None:
    """In no repr of what holds it."""
    with Client("https://example.org", KEY, proxy="http://a:secret-word@proxy.example.org:3128") as client:
        transport = client._transport
        shown = f"{client!r} {client} {transport!r} {transport.key!r} {transport.key} {transport.proxies!r}"
    assert KEY not in shown
    assert "secret-word" not in shown


def test_the_environments_proxies_are_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """By scheme, but for the hosts of NO_PROXY; a given one goes before."""
    for name in ("ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example.org:3128")
    monkeypatch.setenv("NO_PROXY", "bucket.example.org")
    found = Proxies(None, trust_environment=True)
    assert found.of("https://example.org/") == "http://proxy.example.org:3128"
    assert found.of("https://bucket.example.org/a") is None
    assert found.of("http://example.org/") is None
    assert Proxies(None, trust_environment=False).of("https://example.org/") is None
    assert Proxies("http://other:1", trust_environment=True).of("https://bucket.example.org/") == "http://other:1"


def test_a_proxy_of_another_kind_is_refused() -> None:
    """Rather than gone around."""
    with pytest.raises(ValueError, match="proxy"):
        Client("https://example.org", proxy="socks5://proxy:1080")
