"""Where a run's audio goes, and how its copies are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker import settings
from worker.cli.run import order


def test_without_a_store_the_batch_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """`audio/<name of the file>` by default, absolute in the row, as typed for people."""
    found = order.choose(settings.load(), None, stem="my texts", rehearsal=False)
    assert found.shown == "audio/my texts"
    assert found.output_url == (tmp_path / "audio/my texts").as_uri()
    assert found.copies is None


def test_a_rehearsal_keeps_out_of_the_real_folder() -> None:
    """The emulator's tones must not be taken for speech."""
    found = order.choose(settings.load(), None, stem="texts", rehearsal=True)
    assert found.shown == "audio/texts-rehearsal"


def test_the_same_folder_by_another_name_is_the_same_destination(tmp_path: Path) -> None:
    """Otherwise the same command would start over, and pay again."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    chosen = [
        order.choose(settings.load(), Path(name), stem="texts", rehearsal=False).output_url
        for name in ("real", "link", "real/../real", str(tmp_path / "real"))
    ]
    assert len(set(chosen)) == 1


@pytest.mark.parametrize("out", [None, Path("copies")])
def test_with_a_store_the_folder_gets_copies(out: Path | None) -> None:
    """The store of the settings keeps the audio; a folder, if one is named, gets copies."""
    found = order.choose(settings.load(TTSQ_ARTIFACTS_URL="s3://bucket/prefix"), out, stem="texts", rehearsal=False)
    assert found.output_url is None
    assert found.copies == out
    assert found.shown == ("copies" if out else "s3://bucket/prefix")
