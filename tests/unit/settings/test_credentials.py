"""Settings as files, as systemd, Docker and Kubernetes mount them: below the environment and `.env`, refused alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from api_models.problems import InvalidInputError
from worker import settings
from worker.environment import credentials

KEY = "a-key-of-the-vault"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of credentials, which the environment names."""
    made = tmp_path / "credentials"
    made.mkdir()
    monkeypatch.setenv(credentials.FOLDER, str(made))
    return made


def key() -> str | None:
    """The API key as loaded."""
    found = settings.load().segmind_api_key
    return None if found is None else found.get_secret_value()


def refused() -> str:
    """What is said of the settings."""
    with pytest.raises(InvalidInputError) as error:
        settings.load()
    return "\n".join(map(str, error.value.faults))


@pytest.mark.parametrize("name", ["SEGMIND_API_KEY", "segmind_api_key"])
@pytest.mark.parametrize("content", [KEY, f"{KEY}\n", f"\ufeff{KEY}\r\n"])
def test_a_file_is_a_setting(folder: Path, name: str, content: str) -> None:
    """Whatever the case of its name, with or without the end of a line that editors add."""
    (folder / name).write_text(content, encoding="utf-8", newline="")
    assert key() == KEY


def test_a_kubernetes_mount_is_read(folder: Path) -> None:
    """Its files are links to a folder that is swapped as a whole."""
    (folder / "..2026").mkdir()
    (folder / "..2026" / "SEGMIND_API_KEY").write_text(KEY)
    (folder / "..data").symlink_to("..2026")
    (folder / "SEGMIND_API_KEY").symlink_to("..data/SEGMIND_API_KEY")
    assert key() == KEY


def test_the_environment_and_the_env_file_win(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order."""
    (folder / "SEGMIND_API_KEY").write_text(KEY)
    (folder / "TTSQ_CONCURRENCY").write_text("3")
    Path(".env").write_text("SEGMIND_API_KEY=of-the-file\n")
    assert (key(), settings.load().concurrency) == ("of-the-file", 3)
    monkeypatch.setenv("SEGMIND_API_KEY", "of-the-shell")
    assert key() == "of-the-shell"


def test_an_empty_file_is_no_setting(folder: Path) -> None:
    """As an empty variable is none."""
    (folder / "SEGMIND_API_KEY").write_text("\n")
    assert key() is None


def test_other_files_are_not_opened(folder: Path) -> None:
    """The folder may hold what belongs to other programs."""
    (folder / "tls.key").mkdir()
    (folder / "notes").write_bytes(b"\xff\x00")
    assert key() is None


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (lambda file: file.mkdir(), "can't be read"),
    "a link to nothing": (lambda file: file.symlink_to("gone"), "can't be read"),
    "no text": (lambda file: file.write_bytes(b"\xff\xfe\x00"), "something other than text"),
    "a disk image": (lambda file: file.write_bytes(b"x" * 70_000), "more than 65,536 bytes"),
}


@pytest.mark.parametrize(("make", "words"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_no_value_is_named(folder: Path, make: Callable[[Path], object], words: str) -> None:
    """It stands for a secret that was meant to be there: the program must not start without it."""
    make(folder / "SEGMIND_API_KEY")
    message = refused()
    assert message.startswith("CREDENTIALS_DIRECTORY: ")
    assert words in message
    assert "SEGMIND_API_KEY" in message


def test_a_folder_that_is_gone_is_named(folder: Path) -> None:
    """A unit without its credentials must not start without them."""
    folder.rmdir()
    assert "CREDENTIALS_DIRECTORY: can't be read (credentials: No such file" in refused()


def test_a_bad_value_is_refused_as_in_the_environment(folder: Path) -> None:
    """By the same validator, without showing it."""
    (folder / "TTSQ_DATABASE_URL").write_text("mysql://u:hidden@db/x")
    message = refused()
    assert message.startswith("TTSQ_DATABASE_URL: ")
    assert "hidden" not in message


def test_an_address_of_the_env_file_gets_no_key_of_a_credential(folder: Path) -> None:
    """A folder from elsewhere may bring the file."""
    (folder / "SEGMIND_API_KEY").write_text(KEY)
    Path(".env").write_text("SEGMIND_BASE_URL=https://api.example.com\n")
    assert "names api.example.com, which gets no key" in refused()
