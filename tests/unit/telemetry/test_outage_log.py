"""An outage: one line when it begins, one per half minute, one when it ends."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from worker.telemetry.outage_log import REMIND_SECONDS, OutageLog


@dataclass(slots=True)
class Watched:
    """An outage, its clock, and the lines it logged."""

    seconds: float = 100.0
    lines: list[dict[str, Any]] = field(default_factory=list)

    def trouble(self) -> OutageLog:
        """A fresh one."""
        return OutageLog(structlog.wrap_logger(None, processors=[self._write]), "leak", clock=lambda: self.seconds)

    def _write(self, _logger: object, level: str, event: MutableMapping[str, Any]) -> str:
        self.lines.append({"level": level, **event})
        raise structlog.DropEvent


def test_the_same_message_is_logged_once_per_half_minute() -> None:
    """However often it is met; and then with how long it has lasted."""
    watched = Watched()
    trouble = watched.trouble()
    for _ in range(100):
        trouble.failing("it drips", place="roof")
        watched.seconds += 1

    assert [(line["error"], line["for_seconds"]) for line in watched.lines] == [
        ("it drips", at) for at in (0.0, REMIND_SECONDS, 2 * REMIND_SECONDS, 3 * REMIND_SECONDS)
    ]
    assert {(line["level"], line["event"], line["place"]) for line in watched.lines} == {("warning", "leak", "roof")}


def test_a_new_message_is_logged_at_once_and_each_of_two_that_alternate_once() -> None:
    """A changed error is logged; one that alternates between two is not."""
    watched = Watched()
    trouble = watched.trouble()
    for words in ("it drips", "it pours", "it drips", "it pours"):
        trouble.failing(words)
        watched.seconds += 1

    assert [line["error"] for line in watched.lines] == ["it drips", "it pours"]
    assert trouble.message == "it pours"


def test_its_end_is_logged_once_with_its_duration() -> None:
    """Without an outage there is no end of one; after an end, the same message is logged again."""
    watched = Watched()
    trouble = watched.trouble()
    trouble.recovered()
    trouble.failing("it drips")
    watched.seconds += 12.3
    trouble.recovered()
    trouble.recovered()
    trouble.failing("it drips")

    assert [line["event"] for line in watched.lines] == ["leak", "leak_ended", "leak"]
    assert (watched.lines[1]["level"], watched.lines[1]["after_seconds"]) == ("info", 12.3)
    assert trouble.message == "it drips"
