"""`ttsq events`: what happened, from where one likes, and what happens from now on. On both databases."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.factories import NOW
from tests.servers import forked
from tests.terminal import Ttsq
from worker.cli.events import LATEST, PAGE
from worker.store.database import Database
from worker.store.outbox import events
from worker.telemetry import logs

END_SECONDS = 60.0


def record(queue: Database, *subjects: str, type: str = "account.held", **data: Any) -> list[int]:  # noqa: A002, ANN401
    """Events of one kind, in a transaction; their ids."""
    with logs.silenced(), queue.begin() as connection:
        return [events.record(connection, type, subject, data, now=NOW) for subject in subjects]


@contextmanager
def following(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a separate process, which never outlives the block."""
    process = forked.start(
        [sys.executable, "-m", "worker.cli", "events", "--follow", "--json", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=END_SECONDS)


def next_subject(process: subprocess.Popen[str]) -> str:
    """What the next event that it prints is about."""
    assert process.stdout is not None
    subject: str = json.loads(process.stdout.readline())["subject"]
    return subject


@pytest.mark.usefixtures("queue")
def test_an_empty_list_says_so(ttsq: Ttsq) -> None:
    """And of a type that never was, too."""
    assert ttsq("events").out == "No events yet.\n"
    assert ttsq("events", "--type", "account.held").out == "No events of type account.held.\n"
    assert ttsq("events", "--json").out == ""


def test_an_event_has_everything_that_was_recorded(ttsq: Ttsq, queue: Database) -> None:
    """A line for people, an object for machines."""
    (number,) = record(queue, "account", code="insufficient_credits", message="out of credit")
    assert ttsq("events", "--json").lines == [
        {
            "id": number,
            "at": "2026-11-21T10:00:00Z",
            "type": "account.held",
            "tenant": None,
            "subject": "account",
            "data": {"code": "insufficient_credits", "message": "out of credit"},
        }
    ]
    words = 'account  code=insufficient_credits  message="out of credit"'
    assert ttsq("events").out.rstrip().endswith(words)


def test_the_latest_are_shown_and_all_after_a_number_on_request(ttsq: Ttsq, queue: Database) -> None:
    """Over any number of pages, in order, the one itself left out."""
    numbers = record(queue, *(str(number) for number in range(PAGE + 20)))
    latest = [line["id"] for line in ttsq("events", "--json").lines]
    assert latest == numbers[-LATEST:]
    everything = [line["id"] for line in ttsq("events", "--after", "0", "--json").lines]
    assert everything == numbers
    assert [line["id"] for line in ttsq("events", "--after", str(numbers[-3]), "--json").lines] == numbers[-2:]


def test_types_can_be_chosen(ttsq: Ttsq, queue: Database) -> None:
    """Several at once; the latest are the latest of these."""
    record(queue, "a", type="one")
    record(queue, *("b" for _ in range(LATEST)), type="two")
    record(queue, "c", type="three")
    found = ttsq("events", "-t", "one", "-t", "three", "--json").lines
    assert [line["subject"] for line in found] == ["a", "c"]


def test_what_happens_from_now_on_is_followed(queue: Database) -> None:
    """After what is asked for; Ctrl-C ends it."""
    first, _ = record(queue, "before", "yesterday")
    with following("--after", str(first)) as process:
        assert next_subject(process) == "yesterday"
        record(queue, "now")
        assert next_subject(process) == "now"
        record(queue, "then", "and then")
        assert [next_subject(process), next_subject(process)] == ["then", "and then"]
        process.send_signal(signal.SIGINT)
        assert process.wait(END_SECONDS) == 130


def test_a_negative_number_is_refused(ttsq: Ttsq) -> None:
    """Before anything is looked at."""
    assert ttsq("events", "--after", "-1").code == 2
