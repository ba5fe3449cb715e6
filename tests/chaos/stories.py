"""Everything that is known of one job, in one place: its row, its attempts, its bill, what the workers said of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tests.chaos import collecting
from tests.chaos.cluster_harness import Stage
from tests.chaos.history import History, JobEnd
from tests.chaos.violations import Violation

MOST: Final = 10
"""Jobs that are told of; the rest is only named."""


def of_jobs(stage: Stage, history: History, violations: Sequence[Violation]) -> tuple[str, ...]:
    """The stories of the first jobs among these violations."""
    wanted = dict.fromkeys(violation.job_id for violation in violations if violation.job_id is not None)
    jobs = {job.id: job for job in history.jobs}
    known = [jobs[job_id] for job_id in wanted if job_id in jobs]
    return tuple("\n".join(_story(stage, history, job)) for job in known[:MOST])


def _story(stage: Stage, history: History, job: JobEnd) -> Iterator[str]:
    yield f"job {job.id} ({job.custom_id}): {job.status}, attempt {job.attempt}, cost {job.cost}"
    yield f"  row: uri {job.uri} sha256 {job.sha256} cached {job.cached} code {job.code}"
    yield f"  stored: {history.objects.get(job.uri or '')}"
    for row in history.attempts_by_job().get(job.id, []):
        yield (
            f"  attempt {row.number} on {row.worker_id}: {row.started_at:%H:%M:%S.%f} to {row.finished_at:%H:%M:%S.%f}"
            f" {row.verdict} {row.code or ''} cost {row.cost} call {row.request_id}"
            f"{' possibly billed' if row.possibly_billed else ''}{f' kept {row.take_uri}' if row.take_uri else ''}"
        )
    for billed in history.bill:
        if billed.text == job.text:
            yield f"  bill: {billed.cost} for {billed.request_id} at {billed.at:.3f}"
    for line in collecting.lines_about(stage, str(job.id)):
        yield f"  log: {line}"
