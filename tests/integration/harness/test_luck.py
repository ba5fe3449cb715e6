"""An API of which three calls in ten fail, and jobs tried as often as they may: a short form of `benchmarks/faults`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import BOUNDS, PRICE, During, Workshop, client_of, opened
from tests.cluster.luck import failing_rules
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.store.database import Database

SHARE: Final = 0.3
JOBS: Final = 120


@pytest.fixture
def shop(on_sqlite: Database, tmp_path: Path) -> Iterator[Workshop]:
    """A worker, and an API with this luck."""
    config = EmulatorConfig(audio_bytes=4_844, seed=1, rules=failing_rules(SHARE))
    with Emulator(config) as emulator, closing(client_of(emulator)) as client:
        yield opened(Workshop(on_sqlite, emulator, tmp_path, During(client)))


def test_jobs_end_as_the_odds_have_it(shop: Workshop) -> None:
    """Each failure is tried again, none too often: calls within a tenth of what the odds demand, and an exact bill."""
    jobs = [shop.job() for _ in range(JOBS)]
    left = list(jobs)
    while left:
        left = [job for job in left if shop.run(job).status not in {JobStatus.SUCCEEDED, JobStatus.FAILED}]
    rows, seen = [shop.row(job) for job in jobs], shop.emulator.state()
    failed = [row for row in rows if row.status == JobStatus.FAILED]
    demanded = JOBS * (1 - SHARE**BOUNDS.max_attempts) / (1 - SHARE)
    assert seen.calls == pytest.approx(demanded, rel=0.1)
    assert len(failed) < 3 * JOBS * SHARE**BOUNDS.max_attempts
    assert {row.attempts_used for row in failed} == {BOUNDS.max_attempts}
    assert all(row.attempts_used <= BOUNDS.max_attempts for row in rows)
    assert sum(row.cost for row in rows) == seen.billed == (JOBS - len(failed)) * PRICE
    verdicts = {attempt.verdict for job in jobs for attempt in shop.books(job)}
    assert verdicts == {VerdictKind.SUCCESS, VerdictKind.RETRY}
    assert set(seen.statuses) == {"200", "500", "502", "504", "reset"}
