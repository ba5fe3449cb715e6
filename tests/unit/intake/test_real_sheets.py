"""Sheets as people make them: they run unedited, or with the one option that the error names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.data.sheets.exports import EXPORTS
from tests.data.sheets.made import SHEETS, Made
from worker.intake.reader import judge_all
from worker.intake.sheet_options import SheetOptions


@pytest.mark.parametrize("made", [*SHEETS, *EXPORTS], ids=lambda made: made.name)
def test_a_sheet_runs_unedited_or_with_the_option_that_its_error_names(made: Made, tmp_path: Path) -> None:
    """Texts, names and voices as they are meant; columns of its own are carried along."""
    path = tmp_path / made.name
    path.write_bytes(made.content)
    if made.option:
        refused = judge_all(path)
        assert refused.whole or refused.faults
        assert made.named in " ".join(map(str, refused.faults))
    judged = judge_all(path, options=SheetOptions(**made.option))
    rows = list(judged.rows)
    assert judged.faults == []
    assert {row.request.custom_id: row.request.text for row in rows} == made.texts
    assert {row.request.voice_1 for row in rows} == made.voices
    assert {name for row in rows for name in json.loads(row.extra or "{}")} == made.extra
