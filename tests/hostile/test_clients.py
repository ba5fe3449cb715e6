"""Every HTTP client against hostile servers: no exchange reads a byte of another, whatever a server sends.

EXCHANGES is how many are generated for each client; a few hundred unless it is set.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.clients import SUBJECTS, S3FastPut, Subject
from tests.hostile.script import FOREIGN, Honest, Script
from tests.hostile.scripts import BUILDS, CLEAR, DIRTY, QUICK, SLOW, STALLS, Step
from tests.hostile.server import HostileServer

EXCHANGES: Final = int(os.environ.get("EXCHANGES", "150"))
A_HISTORY: Final = 6
"""Exchanges of one client, one after another; the last one is honest, and must be served."""
STALLED_OF: Final = 40
"""One history in `STALLED_OF` waits for a deadline."""
PATIENT_SECONDS: Final = 60.0
SHORT_SECONDS: Final = 0.2
PLAIN: Final[Step] = ("plain", 0, False)
MARKS: Final = itertools.count(1)


@dataclass
class Play:
    """What the server does in one exchange: the script for one of its requests, and honest answers to the others."""

    subject: type[Subject]
    mark: int
    step: Step
    turn: int
    asked: Counter[str] = field(default_factory=Counter)

    def compose(self, request: str, _: bytes) -> tuple[Script, bool]:
        """The next answer."""
        number = self.asked.total()
        self.asked[request.partition(" ")[0]] += 1
        name, varied, early = self.step if number == self.turn else PLAIN
        own, other = (self.subject.honest(mark, request) for mark in (self.mark, FOREIGN + 2 * self.mark))
        return BUILDS[name](own, other, varied), early

    @property
    def is_clear(self) -> bool:
        """Whether the client had every chance."""
        return self.step[0] in CLEAR | DIRTY


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    """One for all, with another play each time."""
    with HostileServer() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For what clients write."""
    return tmp_path_factory.mktemp("spool")


def perform(subject: Subject, server: HostileServer, step: Step, turn: int, *, patient: bool) -> None:
    """One exchange, and what holds for it."""
    play = Play(type(subject), next(MARKS), step, turn)
    server.compose = play.compose
    brought = subject.exchange(play.mark)
    assert play.asked["POST"] <= 1, "a POST was repeated"
    assert play.asked["PUT"] <= 1
    assert brought or not (patient and play.is_clear), "an answer that can be understood was not"
    assert not server.faults


def run(subject: Subject, server: HostileServer, steps: list[Step], turn: int, *, patient: bool = True) -> None:
    """One client's history."""
    server.faults.clear()
    with closing(subject):
        before = PLAIN
        for step in (*steps, PLAIN):
            # A server that closes without a word may do so just when the next request leaves.
            perform(subject, server, step, turn, patient=patient and before[0] != "closing")
            before = step


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("kind", SUBJECTS, ids=lambda kind: kind.__name__)
def test_no_exchange_reads_a_byte_of_another(kind: type[Subject], server: HostileServer, folder: Path) -> None:
    """Nor is a connection used again that isn't clean, or a POST repeated, or what may have been billed forgotten."""
    before = next(MARKS)

    @settings(max_examples=max(1, EXCHANGES // A_HISTORY), suppress_health_check=list(HealthCheck))
    @given(st.lists(QUICK, min_size=A_HISTORY - 1, max_size=A_HISTORY - 1), st.integers(0, 2))
    def quick(steps: list[Step], turn: int) -> None:
        run(kind(server.url, folder, PATIENT_SECONDS), server, steps, turn)

    @settings(max_examples=max(1, EXCHANGES // A_HISTORY // STALLED_OF), suppress_health_check=list(HealthCheck))
    @given(st.lists(QUICK, max_size=2), SLOW, st.integers(0, 2))
    def slow(steps: list[Step], last: Step, turn: int) -> None:
        run(kind(server.url, folder, SHORT_SECONDS), server, [*steps, last], turn, patient=False)

    quick()
    slow()
    print(f"{kind.__name__}: {next(MARKS) - before - 1:,} exchanges, {server.requests:,} requests so far")


@pytest.mark.parametrize("kind", SUBJECTS, ids=lambda kind: kind.__name__)
def test_every_script_is_met(kind: type[Subject], server: HostileServer, folder: Path) -> None:
    """Each before an honest answer on whatever connection follows."""
    quick = [
        (name, number, early) for name in BUILDS if name not in STALLS for number in (0, 7) for early in (False, True)
    ]
    run(kind(server.url, folder, PATIENT_SECONDS), server, [step for one in quick for step in (one, PLAIN)], 0)
    slow: list[Step] = [(name, number, False) for name in STALLS for number in (40, 301)]
    run(kind(server.url, folder, SHORT_SECONDS), server, slow, 0, patient=False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", SUBJECTS, ids=lambda kind: kind.__name__)
def test_no_redirect_is_followed(kind: type[Subject], status: int, server: HostileServer, folder: Path) -> None:
    """Keys, texts and signatures go where they were meant to go, and nowhere else."""
    with HostileServer() as offload, closing(kind(server.url, folder, PATIENT_SECONDS)) as subject:
        headers = (("Location", f"{offload.url}/other"), ("X-Request-Id", "1"))
        redirect = Honest(status, headers, b"{}")
        server.compose = lambda *_: (Script(redirect.whole()), False)
        assert not subject.exchange(1 if kind is not S3FastPut else 2)
        assert offload.connections == 0
