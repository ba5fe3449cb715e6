"""The spool file: it bears its name only once it is whole."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from api_models.speech import Speech
from worker.concurrency.futures import run_here
from worker.segmind.answers import Answer
from worker.segmind.errors import SpoolError, UnusableAddressError, UnusableKeyError
from worker.segmind.spool import PART_SUFFIX, Draft
from worker.segmind.v1 import ClientV1

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def client(base_url: str = "http://127.0.0.1:9", key: str = "SG_0123456789abcdef") -> ClientV1:
    return ClientV1(
        base_url=base_url,
        api_key=SecretStr(key),
        connections=1,
        connect_timeout=1,
        read_timeout=1,
        max_audio_bytes=1_000,
        clock=lambda: NOW,
    )


def test_kept_draft_is_whole(tmp_path: Path) -> None:
    """What was written lies under the final name, and nothing else is left."""
    with Draft(tmp_path / "take") as draft:
        draft.open(Answer(200))
        draft.write(b"one ")
        draft.write(b"two")
        assert not (tmp_path / "take").exists()
        assert draft.keep() == tmp_path / "take"
    assert (tmp_path / "take").read_bytes() == b"one two"
    assert list(tmp_path.iterdir()) == [tmp_path / "take"]


def test_draft_left_early_vanishes(tmp_path: Path) -> None:
    """An answer that was not kept leaves no file that a recovery could take for one."""
    with Draft(tmp_path / "take") as draft:
        draft.open(Answer(200))
        draft.write(b"half")
    assert list(tmp_path.iterdir()) == []


def test_draft_survives_the_last_ones_death(tmp_path: Path) -> None:
    """A part left by a killed process is written over."""
    (tmp_path / f"take{PART_SUFFIX}").write_bytes(b"much longer than what comes now")
    with Draft(tmp_path / "take") as draft:
        draft.open(Answer(200))
        draft.write(b"short")
        draft.keep()
    assert (tmp_path / "take").read_bytes() == b"short"


def test_restarted_draft_forgets(tmp_path: Path) -> None:
    """Audio decoded from a text answer takes the text's place."""
    with Draft(tmp_path / "take") as draft:
        draft.open(Answer(200))
        draft.write(json.dumps({"audio": base64.b64encode(b"abc").decode()}).encode())
        draft.restart()
        draft.write(b"abc")
        assert (draft.size, draft.read(100)) == (3, b"abc")


def test_missing_folder_is_found_before_the_call(tmp_path: Path) -> None:
    """A spool that takes no file is an error before anything is paid: no answer hangs on it."""
    with pytest.raises(SpoolError) as caught:
        run_here(client().synthesize(Speech(text="Hello."), tmp_path / "gone" / "take"))
    assert caught.value.answer is None
    assert caught.value.path == tmp_path / "gone" / "take"
    assert "No such file" in str(caught.value)


def test_disk_error_carries_what_was_paid(tmp_path: Path) -> None:
    """An error of the disk in the middle of an answer says what the call had cost."""
    known = Answer(200, request_id="r-1")
    (tmp_path / "take").mkdir()
    with Draft(tmp_path / "take") as draft:
        draft.open(known)
        draft.write(b"x")
        with pytest.raises(SpoolError) as caught:
            draft.keep()
    assert caught.value.answer is known


@pytest.mark.parametrize("key", ["", "  ", "SG_0123\n456", "schlüssel", "two words"])
def test_unusable_key_is_refused_without_being_shown(key: str) -> None:
    """A key that can't be a header's value is refused at the start, and its error doesn't quote it."""
    with pytest.raises(UnusableKeyError) as caught:
        client(key=key)
    assert not key.strip() or key not in str(caught.value)


def test_key_may_come_with_white_space() -> None:
    """What copying adds to a key is taken off."""
    client(key=" SG_0123456789abcdef\r\n").close()


@pytest.mark.parametrize("base_url", ["", "https://", "ftp://example.com", "api.segmind.com", "http://[::1"])
def test_unusable_address_is_refused(base_url: str) -> None:
    """An address that is none is refused at the start, with an example of one."""
    with pytest.raises(UnusableAddressError, match=r"https://api\.segmind\.com"):
        client(base_url)


def test_client_never_shows_its_key() -> None:
    """Neither the client nor its parts show the key when printed."""
    made = client()
    assert "0123456789abcdef" not in repr(made) + str(made) + repr(made._reader)
