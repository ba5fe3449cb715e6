"""The API through a proxy of the environment, with and without a password, and with authorities of its own."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from tests.servers.certificate import self_signed
from tests.servers.proxy import Proxy
from worker.concurrency.futures import run_here
from worker.concurrency.reactor import Reactor
from worker.http_client.pool import tls_trusting
from worker.http_client.proxies import ProxyAddressError, proxy_for
from worker.http_client.reasons import reason
from worker.segmind.api import Api
from worker.segmind.errors import UnusableAddressError

PASSWORD = "correct horse/battery#staple"
QUOTED = "correct%20horse%2Fbattery%23staple"
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers every request with what it was asked for, and keeps the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        told = f"{self.headers['Host']} {self.path} {self.headers.get('Proxy-Authorization', '')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the developer's."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 with its key."""
    return self_signed(tmp_path)


@contextlib.contextmanager
def serving(certificate: Path | None) -> Iterator[str]:
    """An origin; its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    if certificate is not None:
        server.socket = tls_of(certificate).wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def tls_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def get(address: str, *, times: int = 1) -> list[str]:
    """The bodies of as many answers, over one client."""
    client = Api(
        base_url=address,
        api_key=SecretStr("SG_0123456789abcdef"),
        connections=2,
        connect_timeout=10,
        read_timeout=10,
        reactor=Reactor(),
    )

    async def ask() -> str:
        with await client.get("/v1/x?y=1") as answer:
            return answer.read().decode()

    try:
        return [run_here(ask()) for _ in range(times)]
    finally:
        client.close()


@pytest.mark.parametrize("password", [None, PASSWORD], ids=["open", "password"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("proxy_scheme", ["http", "https"])
def test_requests_go_through_the_proxy(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, proxy_scheme: str, password: str | None
) -> None:
    """A tunnel for https, which is kept for the next request; a forwarded request for http. The origin never sees the
    proxy's password."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    proxy = Proxy(password, tls_of(certificate) if proxy_scheme == "https" else None)
    with serving(certificate if scheme == "https" else None) as origin, proxy:
        own = proxy.address if password is None else proxy.address.replace("://", f"://robot:{QUOTED}@")
        monkeypatch.setenv(f"{scheme}_proxy", own)
        bodies = get(origin, times=3 if scheme == "https" else 1)
    host = origin.partition("//")[2]
    assert set(bodies) == {f"{host} /v1/x?y=1 "}
    expected = f"CONNECT {host} HTTP/1.1" if scheme == "https" else f"GET {origin}/v1/x?y=1 HTTP/1.1"
    assert proxy.asked == [expected]


@pytest.mark.parametrize("given", ["", "robot:wrong-secret@"])
def test_a_refused_password_is_named_and_not_shown(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """Nothing was sent to the API; the message says what to look at, and no password."""
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificate))
    with serving(certificate) as origin, Proxy(PASSWORD) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.address.replace("://", f"://{given}"))
        with pytest.raises(HTTPError) as failure:
            get(origin)
        told = f"{failure.value} {failure.value!r} {reason(failure.value)}"
    assert "407" in reason(failure.value)
    assert "password" in reason(failure.value)
    assert "wrong-secret" not in told
    assert proxy.asked == []


@pytest.mark.parametrize("exempt", ["127.0.0.1", "localhost,127.0.0.1", "*", "127.0.0.1:{port}"])
def test_no_proxy_exempts_a_host(monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    """As boto3 reads it."""
    with serving(None) as origin, Proxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.address)
        monkeypatch.setenv("no_proxy", exempt.format(port=origin.rpartition(":")[2]))
        get(origin)
    assert proxy.asked == []


def test_a_proxy_without_a_scheme_is_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """As boto3 reads it; its representation holds no password."""
    monkeypatch.setenv("HTTPS_PROXY", f"robot:{QUOTED}@proxy.example:3128")
    proxy = proxy_for("https", "api.segmind.com", None)
    assert proxy is not None
    assert proxy.url.url == "http://proxy.example:3128"
    assert "correct" not in repr(proxy)
    assert "Basic" not in repr(proxy)


@pytest.mark.parametrize(
    "address", ["socks5://robot:secret@proxy:1080", "http://", "http://robot:secret@:x", "ftp://a"]
)
def test_an_address_that_is_no_proxy_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Naming the variable, not its value."""
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(ProxyAddressError, match="HTTPS_PROXY") as refusal:
        proxy_for("https", "api.segmind.com", None)
    assert "secret" not in str(refusal.value)
    with pytest.raises(UnusableAddressError, match="HTTPS_PROXY"):
        get("https://api.segmind.com")


@pytest.mark.parametrize("broken", [b"", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000, b"nonsense\r\n\r\n"])
def test_a_proxy_that_speaks_no_http_ends_in_an_error(monkeypatch: pytest.MonkeyPatch, broken: bytes) -> None:
    """Closed connections, endless heads and other protocols hold no slot."""
    with listening(lambda: broken) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        with pytest.raises(HTTPError):
            get("https://api.segmind.com")


@contextlib.contextmanager
def listening(answer: Callable[[], bytes]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                client, _ = listener.accept()
                with client:
                    client.recv(65_536)
                    client.sendall(answer())

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def test_a_bundle_that_is_missing_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not the system's authorities in its place."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(OSError, match="No such file"):
        tls_trusting()
