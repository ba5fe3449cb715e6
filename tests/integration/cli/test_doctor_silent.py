"""`ttsq doctor` before servers that accept connections and never answer, or a byte at a time: every check ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.test_doctor import Doctor
from tests.servers.mute import Mute
from tests.servers.valkey import Valkey
from worker.cli.doctor import bounded
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.store.database import Database

pytestmark = pytest.mark.timeout(120)
"""Without a bound the checks would wait for minutes."""


@pytest.fixture(params=[False, True], ids=["silent", "dripping"])
def mute(request: pytest.FixtureRequest) -> Iterator[Mute]:
    """The server."""
    made = Mute(drips=request.param)
    yield made
    made.close()


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """The command, with less patience."""
    monkeypatch.setattr(bounded, "CHECK_SECONDS", 4.0)
    return Doctor(capsys)


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, on_postgresql: Database, redis_url: str) -> Iterator[None]:
    """Everything is well."""
    with Emulator(EmulatorConfig()) as emulator:
        monkeypatch.setenv("SEGMIND_BASE_URL", emulator.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", emulator.key)
        monkeypatch.setenv("TTSQ_DATABASE_URL", on_postgresql.url.render_as_string(hide_password=False))
        monkeypatch.setenv("TTSQ_BROKER_URL", redis_url)
        monkeypatch.setenv("TTSQ_ARTIFACTS_URL", (tmp_path / "audio").as_uri())
        yield


@pytest.mark.parametrize(
    ("variable", "address", "name"),
    [
        ("TTSQ_DATABASE_URL", "postgresql://u:p@127.0.0.1:{port}/x", "database"),
        ("TTSQ_BROKER_URL", "redis://127.0.0.1:{port}/0", "broker"),
        ("TTSQ_BROKER_URL", "rediss://127.0.0.1:{port}/0", "broker"),
        ("TTSQ_BROKER_URL", "sentinel://127.0.0.1:{port}/0?master_name=m", "broker"),
        ("TTSQ_BROKER_URL", "sentinel://127.0.0.1:{port}/0?master_name=m&ssl_cert_reqs=none", "broker"),
        ("SEGMIND_BASE_URL", "http://127.0.0.1:{port}", "key"),
    ],
)
@pytest.mark.usefixtures("sound")
def test_a_check_of_a_mute_server_ends(
    *, variable: str, address: str, name: str, mute: Mute, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails, naming the setting or the silence; the others pass."""
    monkeypatch.setenv(variable, address.format(port=mute.port))
    found = doctor()
    failed = [one for one, (level, *_) in found.checks.items() if level == "fail"]
    assert (found.code, failed) == (2, [name]), found.text
    assert variable in found.words(name) or "does not answer" in found.words(name)


@pytest.mark.usefixtures("sound")
def test_a_check_of_a_mute_bucket_ends(mute: Mute, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 would repeat its request for minutes."""
    monkeypatch.setenv("TTSQ_ARTIFACTS_URL", "s3://bucket/prefix")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{mute.port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    found = doctor()
    failed = [one for one, (level, *_) in found.checks.items() if level == "fail"]
    assert (found.code, failed) == (2, ["artifacts"]), found.text
    assert "AWS_ENDPOINT_URL_S3" in " ".join(found.checks["artifacts"])


@pytest.mark.usefixtures("sound")
def test_tls_to_a_broker_that_has_none_is_answered_soon(
    valkey: Valkey, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the rest of what it takes for a command, as the client waits for the handshake."""
    monkeypatch.setenv("TTSQ_BROKER_URL", f"rediss://127.0.0.1:{valkey.port}/0?ssl_cert_reqs=CERT_REQUIRED")
    found = doctor()
    assert found.level("broker") == "fail"
    assert "must speak TLS" in " ".join(found.checks["broker"])
