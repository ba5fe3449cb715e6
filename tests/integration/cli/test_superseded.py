"""A batch whose waiting jobs a later run has taken over: templates that read the sheet, and files that are gone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.integration.cli.run_command import emulator, ttsq
from worker.emulator.server import Emulator
from worker.settings import HOME
from worker.store.database import Database
from worker.store.queries.rivals import SUPERSEDED
from worker.store.tables.jobs import Job

__all__ = ["emulator"]

pytestmark = pytest.mark.timeout(400)  # several processes a test
SOME = ("--max-cost", "0.02")
"""Enough for two or so texts; the others wait."""
TEXTS = ("Alpha.", "Bravo.", "Charlie.", "Delta.", "Echo.", "Foxtrot.")
TEMPLATE = "{line:02}-{scene}-{text:20}.{ext}"


def write(texts: Sequence[str], scene: str = "one") -> None:
    """The sheet, with a column that is no field of a job."""
    rows = [f"{text},{scene}" for text in texts]
    Path("sheet.csv").write_text("\n".join(["text,scene", *rows]) + "\n", encoding="utf-8")


def superseded() -> int:
    """How many jobs a later batch has cancelled."""
    database = Database(f"sqlite:///{HOME / 'ttsq.db'}")
    with database.read() as connection:
        found = connection.execute(select(func.count()).where(Job.code == SUPERSEDED)).scalar_one()
    database.close()
    return found


@pytest.mark.parametrize("template", [TEMPLATE, "{line:02}-{scene}.{ext}"])
def test_names_made_of_cells_are_superseded_too(emulator: Emulator, tmp_path: Path, template: str) -> None:
    """One text edited: the names that stay the same are taken over, and every file holds its own line's speech."""
    run = ("run", "sheet.csv", "--out", "audio", "--key-template", template)
    write(TEXTS)
    first = ttsq(*run, *SOME, "--json")
    waiting = len(TEXTS) - first.data["succeeded"]
    assert waiting > 1
    edited = [*TEXTS[:-1], "Golf."]
    write(edited)
    shown = ttsq(*run, "--json")
    assert (shown.code, shown.data["succeeded"]) == (0, len(TEXTS)), shown.err
    assert superseded() == (waiting - 1 if "{text" in template else waiting)
    assert ttsq("run", "sheet.csv", "--out", "apart").code == 0
    for line in range(2, len(TEXTS) + 2):
        (own,) = (path for path in (tmp_path / "audio").glob(f"{line:02}-one*.wav") if "Foxtrot" not in path.name)
        assert own.read_bytes() == (tmp_path / f"apart/{line:04}.wav").read_bytes()
    assert emulator.state().billed_texts.get("Golf.", 1) == 1


def test_a_users_file_is_found_under_a_name_made_of_cells(emulator: Emulator, tmp_path: Path) -> None:
    """Before anything is bought."""
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio/03-one-Bravo.wav").write_bytes(b"mine")
    write(TEXTS)
    refused = ttsq("run", "sheet.csv", "--out", "audio", "--key-template", TEMPLATE)
    assert refused.code != 0
    assert "03-one-Bravo.wav" in refused.err
    assert emulator.state().billed_calls == 0


def test_a_superseded_batch_buys_missing_files_with_consent_only(emulator: Emulator, tmp_path: Path) -> None:
    """Such a batch is made anew, and a new one would buy what it can't copy."""
    write(TEXTS)
    first = ttsq("run", "sheet.csv", "--out", "audio", *SOME, "--json")
    assert 0 < first.data["succeeded"] < len(TEXTS)
    write(TEXTS[::-1])
    assert ttsq("run", "sheet.csv", "--out", "audio").code == 0
    billed = emulator.state().billed_calls
    shutil.rmtree(tmp_path / "audio")
    write(TEXTS)
    refused = ttsq("run", "sheet.csv", "--out", "audio", *SOME)
    assert refused.code not in {0, None}
    assert "0002.wav" in refused.err
    assert "--missing" in refused.err
    assert emulator.state().billed_calls == billed
    bought = ttsq("run", "sheet.csv", "--out", "audio", "--missing", "--max-cost", "1", "--json")
    assert (bought.code, bought.data["succeeded"]) == (0, len(TEXTS)), bought.err
    assert len(list((tmp_path / "audio").glob("[!.]*.wav"))) == len(TEXTS)
