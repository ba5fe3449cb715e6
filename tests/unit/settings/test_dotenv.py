"""The `.env` file of a folder: it is judged like the environment, and can't send its secrets elsewhere."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from api_models.problems import InvalidInputError
from worker import settings
from worker.settings import Settings

KEY = "a-key-of-the-shell"
ENV = Path(".env")


def refused() -> str:
    """What is said of the settings."""
    with pytest.raises(InvalidInputError) as error:
        settings.load()
    return "\n".join(map(str, error.value.faults))


@pytest.mark.parametrize(
    "written", ["TTSQ_CONCURENCY=5", "ttsq_concurency=5", "export TTSQ_CONCURENCY=5", "TTSQ_CONCURENCY"]
)
def test_a_misspelt_name_is_refused_as_in_the_environment(written: str) -> None:
    """With a suggestion, and where it stands."""
    ENV.write_text(f"PATH_OF_ANOTHER_PROGRAM=1\n{written}\n")
    assert refused() == "TTSQ_CONCURENCY: is not a setting (of .env); did you mean TTSQ_CONCURRENCY?"


def test_a_misspelt_name_in_lower_case_is_refused_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where settings are read whatever their case."""
    monkeypatch.setenv("ttsq_concurency", "5")
    assert "did you mean TTSQ_CONCURRENCY?" in refused()


@pytest.mark.parametrize(
    "host", ["https://api.example.com", "http://127.0.0.1:9", "https://api.segmind.com.example.com"]
)
def test_an_address_of_the_file_gets_no_key_of_the_environment(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder from elsewhere may bring the file; the foreign host is named."""
    monkeypatch.setenv("SEGMIND_API_KEY", KEY)
    ENV.write_text(f"SEGMIND_BASE_URL={host}\n")
    message = refused()
    assert f"names {host.partition('://')[2]}, which gets no key from the environment" in message
    assert KEY not in message


def test_segminds_own_address_may_stand_in_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is where the key belongs."""
    monkeypatch.setenv("SEGMIND_API_KEY", KEY)
    ENV.write_text("SEGMIND_BASE_URL=https://api.segmind.com/v1\n")
    assert settings.load().segmind_base_url == "https://api.segmind.com"


def test_address_and_key_of_one_file_belong_together() -> None:
    """Both come from the writer of the file."""
    ENV.write_text(f"SEGMIND_BASE_URL=https://api.example.com\nSEGMIND_API_KEY={KEY}\n")
    assert settings.load().segmind_base_url == "https://api.example.com"


def test_an_address_of_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the file's is never used."""
    monkeypatch.setenv("SEGMIND_API_KEY", KEY)
    monkeypatch.setenv("SEGMIND_BASE_URL", "https://api.segmind.com")
    ENV.write_text("SEGMIND_BASE_URL=https://api.example.com\n")
    assert settings.load().segmind_base_url == "https://api.segmind.com"


@pytest.mark.parametrize("name", ["TTSQ_BROKER_URL", "TTSQ_DATABASE_URL", "TTSQ_ARTIFACTS_URL", "SEGMIND_BASE_URL"])
def test_no_address_of_the_file_refers_to_a_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable may be a secret, and the address a stranger's."""
    monkeypatch.setenv("SEGMIND_API_KEY", KEY)
    schemes = {"TTSQ_BROKER_URL": "redis", "TTSQ_DATABASE_URL": "postgresql", "TTSQ_ARTIFACTS_URL": "s3"}
    ENV.write_text(f"{name}={schemes.get(name, 'https')}://x${{SEGMIND_API_KEY}}.example.com/0\n")
    message = refused()
    assert f"{name}: in .env refers to a variable" in message
    assert KEY not in message


def test_the_mark_of_an_editor_hides_no_name() -> None:
    """Notepad writes one in front of the first name."""
    ENV.write_bytes(b"\xef\xbb\xbfTTSQ_CONCURRENCY=7\n")
    assert settings.load().concurrency == 7


def test_a_file_in_another_encoding_is_named() -> None:
    """Not reported as a fault of the program."""
    ENV.write_bytes("TTSQ_CONCURRENCY=7 # für uns\n".encode("latin-1"))
    assert refused() == ".env: is not UTF-8; save it in that encoding"


@pytest.mark.parametrize("address", ["http://api.segmind.com", "http://10.0.0.7:8765", "http://emulator:8765"])
def test_plain_http_leads_no_key_over_the_network(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the address comes from."""
    monkeypatch.setenv("SEGMIND_API_KEY", KEY)
    monkeypatch.setenv("SEGMIND_BASE_URL", address)
    assert "would send SEGMIND_API_KEY over plain http" in refused()


@pytest.mark.parametrize(
    "address",
    [
        "http://api.example.com",
        "http://8.8.8.8",
        "http://134744072",
        "http://0x8080808",
        "http://[::ffff:8.8.8.8]",
        "http://emulator.example:8765",
    ],
)
def test_not_even_the_emulators_key_leaves_this_network_over_plain_http(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts go with it."""
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_0123456789abcdef")
    monkeypatch.setenv("SEGMIND_BASE_URL", address)
    assert "over plain http" in refused()


@pytest.mark.parametrize("key", ["SG_0123456789abcdef", ""])
def test_the_emulators_key_is_no_secret(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rehearsal in containers reaches its emulator by name."""
    monkeypatch.setenv("SEGMIND_API_KEY", key)
    monkeypatch.setenv("SEGMIND_BASE_URL", "http://emulator:8765")
    assert settings.load().segmind_base_url == "http://emulator:8765"


NUMBERS = {
    str(field.validation_alias.choices[0])  # type: ignore[union-attr]
    for field in Settings.model_fields.values()
    if isinstance(field.default, int | float | Decimal)
} | {"SEGMIND_RPM", "TTSQ_MAX_TEXT_BYTES", "TTSQ_EXPIRES_AFTER"}


@pytest.mark.parametrize("value", ["nan", "inf", "-1000", "1e400", "\x1b[31m", "one"])
def test_no_number_is_taken_that_is_none(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are refused at once, each with its name."""
    for name in NUMBERS:
        monkeypatch.setenv(name, value)
    message = refused()
    assert {line.partition(":")[0] for line in message.splitlines()} == NUMBERS
    assert "\x1b" not in message
