"""Titles, covers and chapters, as a decoder that isn't ours reads them, and the audio beside them unchanged."""

from __future__ import annotations

import base64
from pathlib import Path

import av
import numpy as np
import pytest

from tests.unit.documents.test_join import PLAIN, heard, speech, write
from worker.documents.containers.description import ChapterMark, Cover, Description, read_cover
from worker.documents.errors import DocumentError
from worker.documents.join.recording import record
from worker.documents.plan.plan import Gap

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
MARKS = (ChapterMark("One: über", 0.0, 1.25), ChapterMark("二", 1.25, 2.5))
WHOLE = Description("The Ferry", "A. Böatman", "Tales", MARKS, Cover(PIXEL, "image/png"))
LARGE = Description("The Ferry", cover=Cover(PIXEL + bytes(300_000), "image/png"))


def recorded(tmp_path: Path, suffix: str, description: Description) -> Path:
    take = write(tmp_path / "take.wav", speech(0.8, 0.8))
    return record([(take, Gap.END)], tmp_path / f"all{suffix}", PLAIN, lambda _: description).path


@pytest.mark.parametrize("suffix", [".mp3", ".opus"])
def test_others_read_titles_and_chapters(tmp_path: Path, suffix: str) -> None:
    with av.open(str(recorded(tmp_path, suffix, WHOLE))) as container:
        known = {name.lower(): value for name, value in container.metadata.items()}
        known |= {name.lower(): value for name, value in container.streams.audio[0].metadata.items()}
        chapters = container.chapters()
    assert (known["title"], known["artist"], known["album"]) == ("The Ferry", "A. Böatman", "Tales")
    assert [chapter["metadata"]["title"] for chapter in chapters] == ["One: über", "二"]
    assert [float(chapter["start"] * (chapter["time_base"] or 1)) for chapter in chapters] == pytest.approx([0.0, 1.25])


@pytest.mark.parametrize("suffix", [".mp3", ".opus"])
@pytest.mark.parametrize("description", [WHOLE, LARGE], ids=["small", "large"])
def test_others_see_the_cover(tmp_path: Path, suffix: str, description: Description) -> None:
    with av.open(str(recorded(tmp_path, suffix, description))) as container:
        assert [stream.codec_context.name for stream in container.streams.video] == ["png"]


@pytest.mark.parametrize("suffix", [".mp3", ".opus", ".flac", ".wav"])
@pytest.mark.parametrize("description", [WHOLE, LARGE], ids=["small", "large"])
def test_the_sound_is_the_same_with_and_without(tmp_path: Path, suffix: str, description: Description) -> None:
    plain = heard(recorded(tmp_path, suffix, Description()))
    assert np.array_equal(heard(recorded(tmp_path, suffix, description)), plain)


def test_flac_holds_titles(tmp_path: Path) -> None:
    with av.open(str(recorded(tmp_path, ".flac", WHOLE))) as container:
        assert {name.lower(): value for name, value in container.metadata.items()}["title"] == "The Ferry"


def test_nothing_is_written_where_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert not recorded(tmp_path, ".mp3", Description()).read_bytes().startswith(b"ID3\x03")


@pytest.mark.parametrize(
    ("content", "reason"), [(b"GIF89a", "not a JPEG or PNG"), (PIXEL + bytes(11 * 2**20), "10 MB")]
)
def test_covers_that_players_do_not_show_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "cover.png"
    path.write_bytes(content)
    with pytest.raises(DocumentError, match=reason):
        read_cover(path)
