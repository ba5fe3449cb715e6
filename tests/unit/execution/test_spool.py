"""The spool's files: receipts, leftovers, and files that are used again."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from worker.execution.spool import PART_LIFE_SECONDS, Spool
from worker.segmind.answers import Answer

JOB = UUID(int=7)
OTHER = UUID(int=8)


def test_a_receipt_is_found_with_its_answer(tmp_path: Path) -> None:
    """The cost of a call is read exactly from the receipt beside its answer."""
    spool = Spool(tmp_path, 1)
    audio = spool.path_for(JOB, 2)
    audio.write_bytes(b"sound")
    spool.keep_receipt(audio, Answer(cost=Decimal("0.00670000001"), request_id="r-1"))
    found = Spool(tmp_path, 1).find(JOB)
    assert found is not None
    assert (found.path, found.receipt.cost, found.receipt.request_id) == (audio, Decimal("0.00670000001"), "r-1")


def test_a_file_used_again_brings_nothing_of_its_past(tmp_path: Path) -> None:
    """An emptied file becomes the next answer's: neither the audio nor the receipt of the one before is left in it."""
    spool = Spool(tmp_path, 1)
    first, second = spool.path_for(JOB, 1), spool.path_for(OTHER, 1)
    first.write_bytes(b"the first")
    spool.keep_receipt(first, Answer(cost=Decimal(9), request_id="r-1"))
    spool.discard_answer(first)
    assert spool.find(JOB) is None
    spool.prepare_file(second)
    part = Path(f"{second}.part")
    assert part.read_bytes() == b""
    part.rename(second)
    found = spool.find(OTHER)
    assert found is not None
    assert (found.receipt.cost, found.receipt.request_id) == (None, None)


def test_a_record_that_comes_late_leaves_the_next_attempts_answer_alone(tmp_path: Path) -> None:
    """It clears what it and the attempts before it left, not what is being written now."""
    spool = Spool(tmp_path, 1)
    for attempt in (1, 2):
        audio = spool.path_for(JOB, attempt)
        audio.write_bytes(b"sound")
        spool.keep_receipt(audio, Answer(cost=Decimal(1)))
    part = Path(f"{spool.path_for(JOB, 10)}.part")
    part.write_bytes(b"half")
    spool.discard(JOB, up_to=2)
    assert spool.find(JOB) is None
    assert part.exists()
    spool.discard(JOB)
    assert not part.exists()


def test_the_parts_of_a_living_neighbour_are_left_alone(tmp_path: Path) -> None:
    """Workers may share a folder: only what no call can still be writing is cleared when one of them starts."""
    young, old = tmp_path / "a.audio.part", tmp_path / "b.audio.part"
    for part in (young, old):
        part.write_bytes(b"half")
    past = old.stat().st_mtime - PART_LIFE_SECONDS - 60
    os.utime(old, (past, past))
    Spool(tmp_path, 1).prepare()
    assert (young.exists(), old.exists()) == (True, False)


def test_spare_files_go_when_the_worker_does(tmp_path: Path) -> None:
    """A worker that stops leaves an empty spool."""
    spool = Spool(tmp_path, 1)
    audio = spool.path_for(JOB, 1)
    audio.write_bytes(b"sound")
    spool.discard_answer(audio)
    assert len(list(tmp_path.iterdir())) == 1
    spool.close()
    assert list(tmp_path.iterdir()) == []
