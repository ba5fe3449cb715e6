"""Messages for attempts, as the queue's other writers may get them wrong."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from celery.exceptions import InvalidTaskError
from kombu.message import Message

from worker.broker.consumer import _decoded
from worker.broker.messages import AttemptMessage

JOB = "0198a7c2-0000-7000-8000-000000000001"


def message(body: object) -> Message:
    """As it comes from the broker."""
    return Message(
        body=json.dumps(body), content_type="application/json", content_encoding="utf-8", accept=["application/json"]
    )


def test_a_message_names_a_job_and_a_number() -> None:
    """What it says of sequels is not looked at."""
    assert _decoded(message([[JOB, 3], {}, {"callbacks": None}])) == AttemptMessage(UUID(JOB), 3)


@pytest.mark.parametrize(
    "body",
    [
        [["no-job", 0], {}, {}],
        [[JOB], {}, {}],
        [[JOB, "0"], {}, {}],
        [[0, JOB], {}, {}],
        [],
        {},
        None,
        "x",
        [[JOB, 0]][:0],
    ],
)
def test_anything_else_is_no_task(body: object) -> None:
    """Celery logs and discards it; the worker continues."""
    with pytest.raises(InvalidTaskError):
        _decoded(message(body))
