"""A sheet submitted again after an edit, in single-process mode: what is bought, copied and stored."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.integration.cli.run_command import emulator, lines, ttsq, write_texts
from worker.emulator.server import Emulator

__all__ = ["emulator"]

ROWS = 100
EDITED = (7, 50, 99)


def test_an_edited_sheet_buys_the_edited_lines_alone(emulator: Emulator, tmp_path: Path) -> None:
    """Three lines of a hundred were changed: three calls, as the diff had told; the result files are the new run's."""
    texts = lines(ROWS)
    write_texts("sheet.csv", texts)
    first = ttsq("run", "sheet.csv", "--out", "spoken", "--json")
    assert (first.code, emulator.state().billed_calls) == (0, ROWS), first.err
    folder = tmp_path / "spoken"
    before = {path.name: path.read_bytes() for path in folder.glob("*.wav")}
    assert _manifest(folder).keys() == {f"job-{number}" for number in range(ROWS)}

    for number in EDITED:
        texts[number] += " Edited."
    write_texts("sheet.csv", texts)
    told = ttsq("batch", "diff", str(first.data["batch"]), "sheet.csv", "--json").data
    assert (told["unchanged"], told["changed"], told["calls"]) == (97, [f"job-{number}" for number in EDITED], 3)
    second = ttsq("run", "sheet.csv", "--out", "spoken", "--json")

    assert (second.code, second.data["succeeded"], second.data["cached"]) == (0, ROWS, 97), second.err
    assert emulator.state().billed_calls == ROWS + len(EDITED)
    after = {path.name: path.read_bytes() for path in folder.glob("*.wav")}
    assert {name for name in after if after[name] != before[name]} == {f"job-{number}.wav" for number in EDITED}
    assert {row["cached"] for row in _manifest(folder).values()} == {"yes", "no"}
    results = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert len([line for line in results if not json.loads(line)["cached"]]) == len(EDITED)
    assert (folder / "errors.jsonl").read_bytes() == b""


def _manifest(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "manifest.csv").open(newline="", encoding="utf-8-sig") as stream:
        return {row["custom_id"]: row for row in csv.DictReader(stream)}
