"""Workers that share a spool: each has files of its own, a dead one's are taken over, a suspended one's are copied."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from uuid_utils.compat import uuid7

from worker.execution.spool import LEFT_BEHIND_SECONDS, Spool
from worker.execution.spool_folders import LOCK, SpoolFolder
from worker.segmind.answers import Answer

JOB, OTHER = UUID(int=7), UUID(int=8)
SOUND = b"sound" * 100

NEIGHBOUR = """
import sys
from pathlib import Path
from uuid import UUID
from worker.execution.spool_folders import SpoolFolder
place = SpoolFolder.claim(Path(sys.argv[1]), UUID(sys.argv[2]))
print(place.own, flush=True)
sys.stdin.read()
"""


def opened(shared: Path) -> Spool:
    """The spool of one more worker of this process."""
    place = SpoolFolder.claim(shared, uuid7())
    assert place is not None
    spool = Spool(place.own, 1, place)
    spool.prepare()
    return spool


def answered(spool: Spool, job: UUID, attempt: int = 1, sound: bytes = SOUND) -> Path:
    """An answer that was paid for, with its receipt."""
    audio = spool.path_for(job, attempt)
    audio.write_bytes(sound)
    spool.keep_receipt(audio, Answer(cost=Decimal("0.0067"), sha256=hashlib.sha256(sound).hexdigest()))
    return audio


@contextmanager
def neighbour(shared: Path) -> Iterator[tuple[subprocess.Popen[str], Spool]]:
    """Another process with a folder of its own, and that folder."""
    command = [sys.executable, "-c", NEIGHBOUR, str(shared), str(uuid7())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, Spool(Path(process.stdout.readline().strip()), 1)
        process.kill()


def test_a_living_workers_answer_is_copied_and_left_alone(tmp_path: Path) -> None:
    """It may be suspended in the middle of an attempt, and continues with its file as if nothing had been."""
    with neighbour(tmp_path) as (_, theirs):
        kept = answered(theirs, JOB)
        mine = opened(tmp_path)
        mine.adopt()
        found = mine.find(JOB)
        assert found is not None
        assert (found.path.read_bytes(), found.receipt.cost, found.attempt) == (SOUND, Decimal("0.0067"), 1)
        assert found.path.parent == mine.folder
        mine.discard(JOB)
        assert (mine.find(OTHER), kept.read_bytes()) == (None, SOUND)


def test_a_dead_workers_answers_are_taken_over(tmp_path: Path) -> None:
    """At the first look after its death, with their receipts; its half files and its folder go."""
    with neighbour(tmp_path) as (process, theirs):
        answered(theirs, JOB)
        answered(theirs, OTHER, 3)
        half = theirs.folder / f"{JOB}.2.audio.part"
        half.write_bytes(b"half")
        mine = opened(tmp_path)
        mine.adopt()
        assert mine.answers() == {}
        process.kill()
        process.wait()
        mine.adopt()
    assert mine.answers().keys() == {JOB, OTHER}
    found = mine.find(OTHER)
    assert found is not None
    assert (found.receipt.cost, found.attempt, found.deaths) == (Decimal("0.0067"), 3, 1)
    assert {path.name for path in tmp_path.iterdir()} == {mine.folder.name}


def test_a_dead_workers_answer_is_found_before_any_sweep(tmp_path: Path) -> None:
    """The next attempt of its job may begin at once."""
    with neighbour(tmp_path) as (process, theirs):
        answered(theirs, JOB)
        process.kill()
        process.wait()
    mine = opened(tmp_path)
    assert mine.find(JOB) is not None


def test_a_file_that_its_owner_has_reused_is_no_answer(tmp_path: Path) -> None:
    """What doesn't fit its receipt isn't copied: the owner emptied it, and another job's answer is in it."""
    with neighbour(tmp_path) as (_, theirs):
        answered(theirs, JOB).write_bytes(b"another job's answer")
        mine = opened(tmp_path)
        assert mine.find(JOB) is None
        assert [path.name for path in mine.folder.iterdir() if path.name != LOCK] == []


def test_one_of_two_takes_a_dead_workers_folder_over(tmp_path: Path) -> None:
    with neighbour(tmp_path) as (process, theirs):
        answered(theirs, JOB)
        first, second = opened(tmp_path), opened(tmp_path)
        process.kill()
        process.wait()
    for spool in (first, second, first):
        spool.adopt()
    assert first.answers().keys() == {JOB}
    assert second.answers() == {}


def test_answers_of_early_versions_are_copied_and_swept(tmp_path: Path) -> None:
    """They lie in the shared folder itself, where a worker of that version may still use them."""
    early = Spool(tmp_path, 1)
    kept = answered(early, JOB)
    mine = opened(tmp_path)
    assert mine.find(JOB) is not None
    assert kept in mine.answers()[JOB]
    mine.discard(JOB, up_to=1)
    assert kept.exists()
    mine.discard(JOB, up_to=1, everywhere=True)
    assert not kept.exists()

    without_receipt = early.path_for(OTHER, 1)
    without_receipt.write_bytes(SOUND)
    assert mine.find(OTHER) is None
    past = without_receipt.stat().st_mtime - 2 * LEFT_BEHIND_SECONDS
    os.utime(without_receipt, (past, past))
    assert mine.find(OTHER) is not None


def test_a_worker_that_leaves_removes_its_folder(tmp_path: Path) -> None:
    """Unless an answer is in it, which the next one takes over."""
    tidy, busy = opened(tmp_path), opened(tmp_path)
    tidy.problem()
    answered(busy, JOB)
    for spool in (tidy, busy):
        spool.close()
    assert [path.name for path in tmp_path.iterdir()] == [busy.folder.name]
    assert opened(tmp_path).answers().keys() == {JOB}


def test_two_workers_of_one_job_do_not_touch_each_others_files(tmp_path: Path) -> None:
    """One was suspended and its job given to another, which finished: the first still finds what it bought."""
    first, second = opened(tmp_path), opened(tmp_path)
    bought = answered(first, JOB)
    assert second.find(JOB) is not None
    again = answered(second, JOB, 2)
    second.discard_answer(again)
    second.discard(JOB, up_to=2)
    second.prepare_file(second.path_for(OTHER, 1))
    Path(f"{second.path_for(OTHER, 1)}.part").write_bytes(b"the next answer")
    assert bought.read_bytes() == SOUND
