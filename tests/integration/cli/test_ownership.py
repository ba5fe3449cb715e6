"""Files that a command may not write or delete: the user's, another batch's, a later run's. Embedded default."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from tests.cluster.waiting import wait_for
from tests.integration.cli.run_command import emulator, end, lines, running, ttsq, write_texts
from worker.emulator.server import Emulator
from worker.settings import HOME
from worker.store.database import Database
from worker.store.tables.jobs import Batch, Job

__all__ = ["emulator"]

ROWS = 30
pytestmark = pytest.mark.timeout(400)  # several processes a test


def age(*names: str) -> None:
    """These batches ended long ago."""
    database = Database(f"sqlite:///{HOME / 'ttsq.db'}")
    long_ago = datetime.now(UTC) - timedelta(days=40)
    old = select(Batch.id).where(Batch.name.in_(names))
    with database.begin() as connection:
        connection.execute(update(Job).where(Job.batch_id.in_(old)).values(finished_at=long_ago))
        connection.execute(update(Batch).where(Batch.id.in_(old)).values(finished_at=long_ago))
    database.close()


def contents(folder: Path) -> dict[str, bytes]:
    """Every visible WAV below a folder."""
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*.wav")}


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize("spelling", ["o/x", "o/../o/x/", "link/x"])
def test_prune_leaves_the_files_of_another_batch(tmp_path: Path, spelling: str) -> None:
    """A batch whose template leads into the folder of a later run, in any spelling."""
    (tmp_path / "o").mkdir()
    (tmp_path / "link").symlink_to("o")
    write_texts("a.txt.csv", ["One.", "Two."])
    write_texts("b.txt.csv", ["Three.", "Four."])
    assert ttsq("run", "a.txt.csv", "--out", "o", "--key-template", "x/{custom_id}.{ext}").code == 0
    assert ttsq("run", "b.txt.csv", "--out", spelling).code == 0
    before = contents(tmp_path / "o/x")
    age("a.txt.csv")
    assert ttsq("prune", "--older-than", "2d", "--yes").code == 0
    assert contents(tmp_path / "o/x") == before
    again = ttsq("run", "b.txt.csv", "--out", spelling)
    assert (again.code, "already spoken" in again.out) == (0, True), again.err


def test_an_edited_sheet_after_ctrl_c_leaves_each_line_its_own_speech(emulator: Emulator, tmp_path: Path) -> None:
    """The lines reversed, turned, and back again: no leftover job of an earlier batch has the last word."""
    texts = lines(ROWS)
    orders = (texts, texts[::-1], texts[7:] + texts[:7], texts)
    for order in orders:
        write_texts("sheet.csv", order)
        with running("run", "sheet.csv", "--out", "spoken") as process:
            wait_for(
                lambda: process.poll() is not None or len(contents(tmp_path / "spoken")) >= ROWS // 2,
                seconds=60,
                what="half of the files",
            )
            process.send_signal(signal.SIGINT)
            end(process)
    shown = ttsq("run", "sheet.csv", "--out", "spoken", "--json")
    assert (shown.code, shown.data["succeeded"]) == (0, ROWS), shown.err
    assert emulator.state().billed_calls == ROWS
    write_texts("sheet.csv", orders[1])
    assert ttsq("run", "sheet.csv", "--out", "apart").code == 0
    for index, text in enumerate(orders[1]):
        same = tmp_path / f"spoken/job-{texts.index(text)}.wav"
        assert (tmp_path / f"apart/job-{index}.wav").read_bytes() == same.read_bytes()


@pytest.mark.usefixtures("emulator")
def test_the_users_own_files_are_refused_before_anything_is_bought(emulator: Emulator, tmp_path: Path) -> None:
    """Named, counted, and replaced only with consent; a folder or a link never is."""
    audio = tmp_path / "audio"
    audio.mkdir()
    for name in ("job-0.wav", "job-2.wav", "manifest.csv"):
        (audio / name).write_bytes(b"mine")
    write_texts("texts.csv", lines(3))
    refused = ttsq("run", "texts.csv", "--out", "audio")
    assert refused.code != 0
    assert "audio/job-0.wav" in refused.err
    assert "1 other file" in refused.err
    assert "--overwrite" in refused.err
    assert (emulator.state().billed_calls, (audio / "job-0.wav").read_bytes()) == (0, b"mine")
    agreed = ttsq("run", "texts.csv", "--out", "audio", "--overwrite", "--json")
    assert (agreed.code, agreed.data["succeeded"]) == (0, 3), agreed.err
    assert (audio / "job-0.wav").read_bytes() != b"mine"
    assert (audio / "manifest.csv").read_bytes() == b"mine"
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/job-1.wav").symlink_to("../texts.csv")
    never = ttsq("run", "texts.csv", "--out", "linked", "--overwrite")
    assert never.code != 0
    assert "linked/job-1.wav" in never.err
    assert (tmp_path / "linked/job-1.wav").is_symlink()


@pytest.mark.usefixtures("emulator")
def test_a_file_that_was_changed_is_named_and_left(tmp_path: Path) -> None:
    """The exit code says so; with consent, the bought audio is put back at no cost."""
    write_texts("texts.csv", lines(2))
    first = ttsq("run", "texts.csv", "--out", "audio", "--json")
    whole = (tmp_path / "audio/job-1.wav").read_bytes()
    (tmp_path / "audio/job-1.wav").unlink()
    (tmp_path / "audio/job-1.wav").write_bytes(b"trimmed")
    shown = ttsq("run", "texts.csv", "--out", "audio")
    assert shown.code == 1
    assert "job-1.wav" in shown.err
    assert (tmp_path / "audio/job-1.wav").read_bytes() == b"trimmed"
    mended = ttsq("run", "texts.csv", "--out", "audio", "--overwrite", "--json")
    assert (mended.code, mended.data["cost"]) == (0, first.data["cost"]), mended.err
    assert (tmp_path / "audio/job-1.wav").read_bytes() == whole


@pytest.mark.usefixtures("emulator")
def test_an_edit_taken_back_takes_the_files_back(tmp_path: Path) -> None:
    """The first sheet again, after a second one in the same folder: its own speech, copied at no cost."""
    write_texts("sheet.csv", ["One.", "Two."])
    first = ttsq("run", "sheet.csv", "--out", "audio", "--json")
    before = contents(tmp_path / "audio")
    write_texts("sheet.csv", ["Two.", "Three."])
    assert ttsq("run", "sheet.csv", "--out", "audio").code == 0
    assert contents(tmp_path / "audio") != before
    write_texts("sheet.csv", ["One.", "Two."])
    again = ttsq("run", "sheet.csv", "--out", "audio", "--json")
    assert (again.code, again.data["cost"], first.code) == (0, "0", 0), again.err
    assert contents(tmp_path / "audio") == before


@pytest.mark.usefixtures("emulator")
def test_a_download_leaves_the_users_files(tmp_path: Path) -> None:
    """In a folder, beside result files of his own, and under an archive's name."""
    write_texts("texts.csv", lines(2))
    assert ttsq("run", "texts.csv", "--out", "audio").code == 0
    down = tmp_path / "down"
    down.mkdir()
    (down / "job-0.wav").write_bytes(b"mine")
    shown = ttsq("batch", "download", "texts.csv", "--out", "down")
    assert shown.code == 1
    assert "job-0.wav" in shown.err
    assert (down / "job-0.wav").read_bytes() == b"mine"
    assert ttsq("batch", "download", "texts.csv", "--out", "down", "--overwrite").code == 0
    assert (down / "job-0.wav").read_bytes() == (tmp_path / "audio/job-0.wav").read_bytes()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/results.jsonl").write_bytes(b"mine")
    assert ttsq("batch", "results", "texts.csv", "--out", "out").code != 0
    assert (tmp_path / "out/results.jsonl").read_bytes() == b"mine"
    (tmp_path / "all.zip").write_bytes(b"mine")
    assert ttsq("batch", "download", "texts.csv", "--zip", "all.zip").code != 0
    assert (tmp_path / "all.zip").read_bytes() == b"mine"
    for _ in range(2):  # the second time it is known to be this batch's
        assert ttsq("batch", "download", "texts.csv", "--zip", "mine.zip").code == 0
