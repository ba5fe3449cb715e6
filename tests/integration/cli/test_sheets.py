"""Sheets as people make them at the terminal: what is said of them, and what lies in the folder at the end."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.data.sheets.exports import EXPORTS
from tests.data.sheets.made import SHEETS
from tests.data.sheets.workbooks import Tab, workbook
from tests.integration.cli.run_command import emulator as emulator  # noqa: PLC0414 - a fixture that is used here
from tests.integration.cli.run_command import ttsq as in_its_own_process
from tests.terminal import Ttsq
from worker.store import schedules
from worker.store.database import Database

TWO = {
    "Intro": Tab([["ID", "Script", "Chapter"], ["a", "One.", "=1+1"], ["b", "Two <b>b</b>.", "+44 20"]]),
    "Chapter 2": Tab([["ID", "Script", "Chapter"], ["c", "Fish &amp; chips.", "1: Start"]]),
}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A workbook of two sheets."""
    path = tmp_path / "lines.xlsx"
    path.write_bytes(workbook(TWO))
    return path


@pytest.mark.usefixtures("emulator")
def test_all_sheets_are_spoken_and_their_columns_carried_along(book: Path, tmp_path: Path) -> None:
    """Named by their own columns; nothing in the manifest is a formula; the same command again buys nothing."""
    template = "{Chapter}/{line:03}-{text:8}.{ext}"
    asked = ("run", book.name, "--all-sheets", "--out", "out", "--key-template", template, "--json")
    shown = in_its_own_process(*asked)
    assert shown.code == 0, shown.err
    assert "Columns: Script → text, ID → custom_id; copied to manifest.csv: Chapter" in shown.err
    assert 'may be read aloud: sheet "Intro", line 3' in shown.err
    assert 'may be read aloud: sheet "Chapter 2", line 2' in shown.err
    folder = tmp_path / "out"
    assert {str(path.relative_to(folder)) for path in folder.glob("[!.]*/*.wav")} == {
        "=1+1/002-One.wav",
        "+44 20/003-Two b b.wav",
        "1 Start/005-Fish &am.wav",
    }
    content = (folder / "manifest.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfcustom_id,line,status,file")
    rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    assert [(row["custom_id"], row["sheet"], row["Chapter"]) for row in rows] == [
        ("a", "Intro", "'=1+1"),
        ("b", "Intro", "'+44 20"),
        ("c", "Chapter 2", "1: Start"),
    ]
    again = in_its_own_process(*asked)
    assert (again.code, again.data["cost"]) == (0, shown.data["cost"])


@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize(
    "command",
    [
        ("run", "lines.xlsx", "--rehearse"),
        ("quote", "lines.xlsx"),
        ("schedule", "add", "nightly", "lines.xlsx", "--cron", "0 0 * * *"),
    ],
)
def test_every_way_in_asks_which_sheet(ttsq: Ttsq, book: Path, command: tuple[str, ...]) -> None:
    """With both ways to say so; nothing is stored."""
    refused = ttsq(*command)
    assert refused.code == 2, book
    assert "choose one: --sheet Intro, or read all of them: --all-sheets" in refused.err


@pytest.mark.usefixtures("book")
def test_a_schedule_keeps_how_its_source_is_read(ttsq: Ttsq, queue: Database) -> None:
    """And an older worker, which knows none of that, can still read what other schedules keep."""
    made = ttsq("schedule", "add", "a", "lines.xlsx", "--cron", "0 0 * * *", "--sheet", "Intro", "--temperature", "0")
    assert made.code == 0, made.err
    assert ttsq("schedule", "add", "b", "lines.xlsx", "--cron", "0 0 * * *", "--all-sheets").code == 0
    with queue.read() as connection:
        kept = {one.name: json.loads(one.options) for one in schedules.every(connection)}
    assert kept == {"a": {"sheets": ["Intro"], "temperature": 0.0}, "b": {"all_sheets": True}}


@pytest.mark.usefixtures("queue", "book")
def test_a_template_names_only_existing_columns(ttsq: Ttsq) -> None:
    """Those of every sheet that is read."""
    refused = ttsq("run", "lines.xlsx", "--rehearse", "--sheet", "Intro", "--key-template", "{Scene}/{id}.{ext}")
    assert "{Scene}" in refused.err
    assert "columns of the sheet: Chapter" in refused.err


OPTIONS = {"encoding": "--encoding", "text_column": "--text-column", "input_format": "--input-format"}
REHEARSED = (
    "excel-cp1252.csv",
    "excel-merged.xlsx",
    "libreoffice.ods",
    "openai-batch.jsonl",
    "wordpress-api.json",
    "film.srt",
    "lines.log",
    "music.csv",
)


@pytest.mark.parametrize("name", REHEARSED)
def test_one_sheet_of_each_kind_is_spoken_with_the_option_that_its_error_named(
    name: str, ttsq: Ttsq, tmp_path: Path
) -> None:
    """From the file to the folder: every text has its audio under its own name, and the manifest its columns."""
    (made,) = [one for one in (*SHEETS, *EXPORTS) if one.name == name]
    (tmp_path / name).write_bytes(made.content)
    options = [word for option, value in made.option.items() for word in (OPTIONS[option], str(value))]
    if options:
        refused = ttsq("run", name, "--rehearse")
        assert (refused.code, " ".join(options) in refused.err) == (2, True), refused
    shown = ttsq("run", name, "--rehearse", "--out", "out", "--quiet", "--json", *options)
    assert (shown.code, shown.data["succeeded"]) == (0, len(made.texts)), shown
    folder = tmp_path / "out"
    spoken = {path.stem for path in folder.iterdir() if path.suffix in {".wav", ".mp3"}}
    assert spoken == set(made.texts)
    rows = list(csv.DictReader((folder / "manifest.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert made.extra <= set(rows[0])
