"""An answer in the spool that a worker died with: opened with care once, and then kept aside."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import Workshop
from tests.containers import container
from worker.execution import judging_mark
from worker.execution.judging_mark import deaths, marked

TEXT: Final = "A tone that wavers, again."


class DiedError(Exception):
    """Stands for the end of a worker."""


def left_behind(audio: Path, times: int) -> None:
    """Leave what `times` workers leave that died with the answer in hand."""
    judging_mark._write(audio, str(times).encode())


@pytest.mark.parametrize("has_attributes", [True, False])
def test_a_mark_is_borne_while_an_answer_is_in_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_attributes: bool
) -> None:
    """Found again, it counts one more; none is left when the answer was judged, or the judging failed."""
    if not has_attributes:  # as on macOS
        for name in ("getxattr", "setxattr", "removexattr"):
            monkeypatch.delattr(f"os.{name}", raising=False)
    audio = tmp_path / "a.1.audio"
    audio.write_bytes(b"sound")
    assert deaths(audio) == 0
    with marked(audio):
        assert deaths(audio) == 1
    assert deaths(audio) == 0
    left_behind(audio, 1)
    with suppress(DiedError), marked(audio):
        assert deaths(audio) == 2
        raise DiedError
    assert deaths(audio) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.1.audio"]


@pytest.mark.parametrize("times", [0, 1])
def test_an_answer_that_was_left_is_opened_in_a_process_of_its_own(shop_on_both: Workshop, times: int) -> None:
    """Whatever it is, and whyever its worker ended; then it is as good as any."""
    shop = shop_on_both
    job = shop.job(recover=True, attempt=1, text=TEXT)
    audio = shop.spool.path_for(job, 1)
    audio.write_bytes(container("wav"))
    left_behind(audio, times)
    assert shop.run(job).status == JobStatus.SUCCEEDED
    assert len(shop.executor.pools.codecs.pids()) == 1
    assert shop.spooled() == []


def test_an_answer_that_two_workers_died_with_is_not_opened_again(shop_on_both: Workshop) -> None:
    """It is a bad take, kept for listening; the job is bought again."""
    shop = shop_on_both
    job = shop.job(recover=True, attempt=1, text=TEXT)
    audio = shop.spool.path_for(job, 1)
    audio.write_bytes(container("wav, float"))
    left_behind(audio, 2)
    assert shop.run(job).status == JobStatus.QUEUED
    (attempt,) = shop.books(job)
    assert (attempt.verdict, attempt.code) == (VerdictKind.BAD_TAKE, "bad_audio")
    assert attempt.take_uri == (shop.audio / f"default/jobs/refused/{job}.2.wav").as_uri()
    assert shop.executor.pools.codecs.pids() == []
    assert shop.run(job).status == JobStatus.SUCCEEDED
