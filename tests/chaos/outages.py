"""Outages of one service at a time under load, with default settings: measures how soon calls resume."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tests.chaos import figures, judging, report
from tests.chaos.cluster_harness import Setting, Stage, on_stage
from tests.chaos.event_timeline import Happening
from tests.chaos.judging import Judgement
from tests.chaos.services import Service
from tests.chaos.violations import Breach, Violation
from tests.chaos.waiting import await_success, pass_time

WORST_SECONDS: Final = 60.0
"""From the end of an outage to the first job that began after it and was recorded."""
CALM_SECONDS: Final = 8.0
"""Of undisturbed work before each outage."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage: how it begins, how long it lasts, how it ends."""

    name: str
    seconds: float
    begin: Callable[[Stage], None]
    end: Callable[[Stage], None] = lambda stage: None  # noqa: ARG005 - some outages end by themselves


def run(*, seed: int, api: str) -> bool:
    """Whether nothing was broken, and work flowed again in time after each. Nothing here is at random."""
    print(f"{len(OUTAGES)} outages (seed {seed})")
    with on_stage(Setting(api=api)) as stage:
        for outage in OUTAGES:
            pass_time(stage, CALM_SECONDS)
            happening = _suffer(stage, outage)
            await_success(stage, happening.ended or datetime.now(UTC))
        judgement = judging.judge(stage)
        judgement = judging.with_more(judgement, stage, _too_slow(stage, judgement))
        report.tell("outages", stage.chronicle, judgement)
        _tell_flow(stage, judgement)
    return not judgement.violations


def _suffer(stage: Stage, outage: Outage) -> Happening:
    print(f"  {outage.name}, {outage.seconds:g} s", flush=True)
    with stage.chronicle.happening(outage.name, "") as happening:
        outage.begin(stage)
        pass_time(stage, outage.seconds)
        outage.end(stage)
    return happening


def _flow(stage: Stage, judgement: Judgement) -> Iterator[tuple[Happening, float | None]]:
    for happening in stage.chronicle.happenings:
        assert happening.ended is not None
        yield happening, figures.starts_again(judgement.history.attempts, happening.ended)


def _too_slow(stage: Stage, judgement: Judgement) -> list[Violation]:
    return [
        Violation(Breach.TOO_SLOW, f"{happening.what}: {seconds} s until work flowed again")
        for happening, seconds in _flow(stage, judgement)
        if seconds is None or seconds > WORST_SECONDS
    ]


def _tell_flow(stage: Stage, judgement: Judgement) -> None:
    print("from the end of each outage to the first job that began after it and was recorded:")
    for happening, seconds in _flow(stage, judgement):
        print(f"  {'never' if seconds is None else f'{seconds:5.1f} s'}  {happening.what}")


def _links(change: str, service: Service) -> Callable[[Stage], None]:
    """What does something to every worker's way to a service."""

    def apply(stage: Stage) -> None:
        for host in stage.hosts:
            getattr(host.links[service], change)()

    return apply


def _flush(stage: Stage) -> None:
    stage.cluster.services.valkey.flush()


def _restart_broker(stage: Stage) -> None:
    stage.cluster.services.valkey.kill()
    stage.cluster.services.valkey.restart()


def _pause_broker(stage: Stage) -> None:
    stage.cluster.services.valkey.pause()


def _resume_broker(stage: Stage) -> None:
    stage.cluster.services.valkey.resume()


def _restart_database(stage: Stage) -> None:
    assert stage.cluster.services.postgres is not None
    stage.cluster.services.postgres.restart()


def _crash_database(stage: Stage) -> None:
    assert stage.cluster.services.postgres is not None
    stage.cluster.services.postgres.crash()


OUTAGES: Final = (
    Outage("Redis flushed", 0, _flush),
    Outage("Redis killed and restarted", 0, _restart_broker),
    Outage("Redis half-open (answers nothing)", 30, _pause_broker, _resume_broker),
    Outage("Redis half-open (old connections silent forever)", 0, _links("strand", Service.BROKER)),
    Outage("PostgreSQL restarted", 0, _restart_database),
    Outage("PostgreSQL crashed", 0, _crash_database),
    Outage(
        "PostgreSQL half-open (answers nothing)",
        30,
        _links("freeze", Service.DATABASE),
        _links("restore", Service.DATABASE),
    ),
    Outage("S3 down", 60, _links("cut", Service.STORE), _links("restore", Service.STORE)),
    Outage("S3 half-open (answers nothing)", 30, _links("freeze", Service.STORE), _links("restore", Service.STORE)),
    Outage("API down", 20, _links("cut", Service.API), _links("restore", Service.API)),
)
