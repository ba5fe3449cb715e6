"""Folders that result files pass through."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from worker.results.temporary import PREFIX, STALE_SECONDS, temporary_folder


def test_what_dead_processes_left_behind_is_cleared_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a day; a younger file may belong to a live process, and files with other names are left alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in (f"{PREFIX}dead", f"{PREFIX}alive", "others"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.csv").touch()
    long_ago = time.time() - STALE_SECONDS - 60
    for name in (f"{PREFIX}dead", "others"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    with temporary_folder() as folder:
        (folder / "manifest.csv").touch()
        assert folder.parent == tmp_path
    assert sorted(path.name for path in tmp_path.iterdir()) == ["others", f"{PREFIX}alive"]
