"""`ttsq doctor` reaches a broker over TLS with the same options as a worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.test_doctor import Doctor
from tests.servers.either_proxy import EitherProxy
from tests.servers.sentinel import NAME, Sentinel
from tests.servers.tls_proxy import TlsProxy
from tests.servers.valkey import Valkey
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.store.database import Database


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """The command."""
    return Doctor(capsys)


@pytest.fixture
def proxy(
    valkey: Valkey, tmp_path: Path, on_postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TlsProxy]:
    """The broker behind TLS; everything else is well."""
    with Emulator(EmulatorConfig()) as emulator, TlsProxy(valkey.port, tmp_path) as proxy:
        monkeypatch.setenv("SEGMIND_BASE_URL", emulator.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", emulator.key)
        monkeypatch.setenv("TTSQ_DATABASE_URL", on_postgresql.url.render_as_string(hide_password=False))
        yield proxy


@pytest.mark.parametrize("check", ["CERT_REQUIRED", "required", "CERT_NONE"])
def test_a_certificate_that_is_trusted_is_accepted(
    check: str, proxy: TlsProxy, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In each spelling that the worker's transport takes."""
    options = f"ssl_cert_reqs={check}&ssl_ca_certs={proxy.certificate}"
    monkeypatch.setenv("TTSQ_BROKER_URL", f"rediss://127.0.0.1:{proxy.port}/0?{options}")
    found = doctor()
    assert (found.code, found.level("broker")) == (0, "ok"), found.text


def test_a_certificate_that_is_not_trusted_fails(
    proxy: TlsProxy, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason and the option."""
    monkeypatch.setenv("TTSQ_BROKER_URL", f"rediss://127.0.0.1:{proxy.port}/0?ssl_cert_reqs=CERT_REQUIRED")
    found = doctor()
    assert (found.code, found.level("broker")) == (2, "fail")
    assert "certificate" in found.words("broker")


@pytest.fixture
def sentinel(proxy: TlsProxy, tmp_path: Path) -> Iterator[TlsProxy]:
    """A Sentinel behind TLS; so is its primary, which takes plain connections from the Sentinel itself."""
    with (
        Valkey() as valkey,
        EitherProxy(valkey.port, tmp_path, certificate=proxy.certificate) as primary,
        Sentinel(valkey, port=primary.port) as plain,
        TlsProxy(plain.port, tmp_path, certificate=proxy.certificate) as outside,
    ):
        yield outside


def test_sentinels_and_their_primary_are_reached_over_tls(
    sentinel: TlsProxy, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The options of TLS, as rediss:// takes them, hold for both."""
    options = f"master_name={NAME}&ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs={sentinel.certificate}"
    monkeypatch.setenv("TTSQ_BROKER_URL", f"sentinel://127.0.0.1:{sentinel.port}/0?{options}")
    found = doctor()
    assert (found.code, found.level("broker")) == (0, "ok"), found.text


@pytest.mark.parametrize("options", ["", "&ssl_cert_reqs=CERT_REQUIRED"])
def test_sentinels_are_not_reached_without_tls_or_trust(
    options: str, sentinel: TlsProxy, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown certificate is refused, as is an address without TLS."""
    monkeypatch.setenv("TTSQ_BROKER_URL", f"sentinel://127.0.0.1:{sentinel.port}/0?master_name={NAME}{options}")
    found = doctor()
    assert (found.code, found.level("broker")) == (2, "fail"), found.text
