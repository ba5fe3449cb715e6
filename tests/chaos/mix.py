"""Everything at once, at random, by a seeded plan."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

from tests.chaos import judging, report
from tests.chaos.cluster_harness import Setting, Stage, on_stage
from tests.chaos.disturbances import Disturber
from tests.chaos.plan import Step, make_plan
from tests.chaos.waiting import pass_until

SETTINGS: Final = {
    "TTSQ_READ_TIMEOUT": "8",
    "TTSQ_CONNECT_TIMEOUT": "3",
    # A job that is hit ten times in two minutes is none that kills its worker.
    "TTSQ_MAX_ATTEMPTS": "50",
    # Here an outage of the store lasts seconds.
    "TTSQ_PROBE_SECONDS": "2",
}
WARM_UP_SECONDS: Final = 2.0
END_SECONDS: Final = 90.0


def run(*, seed: int, minutes: float, api: str) -> bool:
    """Whether nothing was broken."""
    print(f"chaos with seed {seed} for {minutes:g} minutes")
    with on_stage(Setting(api=api, settings=SETTINGS)) as stage:
        _play(stage, make_plan(seed, minutes * 60, len(stage.hosts)))
        judgement = judging.judge(stage)
        report.tell(f"mix, seed {seed}", stage.chronicle, judgement)
    return not judgement.violations


def _play(stage: Stage, plan: Sequence[Step]) -> None:
    """Carry out each step at its time, and return when the last is repaired."""
    disturber = Disturber(stage)
    began = time.monotonic() + WARM_UP_SECONDS
    threads: list[threading.Thread] = []
    for step in plan:
        pass_until(stage, began + step.at)
        print(f"{step.at:6.1f} s  {step.kind}, {step.seconds:.1f} s", flush=True)
        threads.append(threading.Thread(target=_carry_out, args=(disturber, step), daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join(END_SECONDS)
        if thread.is_alive():
            stage.chronicle.trouble.append(f"a disturbance was not made good within {END_SECONDS:g} s")


def _carry_out(disturber: Disturber, step: Step) -> None:
    try:
        disturber.carry_out(step)
    except Exception as error:  # noqa: BLE001 - any error is reported with the judgement of the run
        disturber.stage.chronicle.trouble.append(f"{step.kind}: {type(error).__name__}: {error}")
