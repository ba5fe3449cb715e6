"""The states of a job: which end it, and the ways between them."""

from __future__ import annotations

import pytest

from api_models.status import IN_FLIGHT, TERMINAL, TRANSITIONS, WAITING, JobStatus


def test_every_state_has_its_place() -> None:
    """A job is queued, in flight, or finished: exactly one of them."""
    assert set(JobStatus) == TERMINAL | IN_FLIGHT | WAITING
    assert len(TERMINAL) + len(IN_FLIGHT) + len(WAITING) == len(JobStatus)
    assert set(TRANSITIONS) == set(JobStatus)


@pytest.mark.parametrize("status", sorted(set(JobStatus) - TERMINAL))
def test_a_job_that_is_not_over_can_be_cancelled(status: JobStatus) -> None:
    """Cancelling works from every state that isn't terminal."""
    assert JobStatus.CANCELLED in TRANSITIONS[status]


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_finished_job_is_only_reopened_by_a_retry(status: JobStatus) -> None:
    """A success is permanent; the other terminal states lead back to queued only."""
    expected = set() if status is JobStatus.SUCCEEDED else {JobStatus.QUEUED}
    assert TRANSITIONS[status] == expected


def test_only_a_running_job_can_succeed_or_fail() -> None:
    """Audio and its refusal both come of a claimed attempt."""
    for outcome in (JobStatus.SUCCEEDED, JobStatus.FAILED):
        assert [status for status, ways in TRANSITIONS.items() if outcome in ways] == [JobStatus.RUNNING]


def test_a_job_runs_only_through_the_dispatcher() -> None:
    """Nothing is claimed that wasn't admitted, and only queued jobs are admitted."""
    assert [status for status, ways in TRANSITIONS.items() if JobStatus.RUNNING in ways] == [JobStatus.DISPATCHED]
    assert [status for status, ways in TRANSITIONS.items() if JobStatus.DISPATCHED in ways] == [JobStatus.QUEUED]


@pytest.mark.parametrize("status", sorted(IN_FLIGHT))
def test_what_is_in_flight_can_be_given_back(status: JobStatus) -> None:
    """A lost message or a dead worker sends its job back to queued."""
    assert JobStatus.QUEUED in TRANSITIONS[status]
