"""Kill after kill, over all workers and the dispatcher's host, with Redis flushed in every tenth."""

from __future__ import annotations

import random
import time
from typing import Final

from tests.chaos import figures, judging, report
from tests.chaos.cluster_harness import Setting, Stage, on_stage
from tests.chaos.hosts import UP_SECONDS, Host
from tests.chaos.plan import Kind
from tests.chaos.violations import Breach, Violation
from tests.chaos.waiting import keep_up, pass_until
from tests.cluster.waiting import wait_for

CYCLES: Final = 100
SETTINGS: Final = {"TTSQ_MAX_ATTEMPTS": "30"}
"""The default else. Of a hundred kills five may well meet the same job, which is not what they died of."""
LEADER_EVERY: Final = 3
FLUSH_EVERY: Final = 10
WARM_UP_SECONDS: Final = 3.0
WORST_SECONDS: Final = 20.0
"""From a SIGKILL to the dead worker's jobs running elsewhere."""


def run(*, seed: int, minutes: float, api: str) -> bool:
    """Whether nothing was broken. The cycles are spread evenly over the time, unless the workers start too slowly."""
    print(f"{CYCLES} SIGKILL cycles with seed {seed} over {minutes:g} minutes")
    rng = random.Random(seed)
    with on_stage(Setting(api=api, settings=SETTINGS)) as stage:
        began = time.monotonic() + WARM_UP_SECONDS
        for cycle in range(CYCLES):
            pass_until(stage, began + cycle * minutes * 60 / CYCLES)
            _kill_one(stage, cycle, rng)
        judgement = judging.judge(
            stage, permitted_again=judging.lost_at_kills if api == "v1" else judging.unheard_submissions
        )
        recoveries = figures.recoveries(judgement.history)
        late = [
            Violation(Breach.TOO_SLOW, f"{recovery.seconds:.1f} s until it ran elsewhere", recovery.job_id)
            for recovery in recoveries
            if recovery.seconds > WORST_SECONDS
        ]
        judgement = judging.with_more(judgement, stage, late)
        report.tell(f"{CYCLES} cycles, seed {seed}", stage.chronicle, judgement)
    return not judgement.violations


def _two_up(stage: Stage) -> list[Host]:
    """The hosts whose workers have signed on, if a kill leaves one of them to go on; on a slow machine that takes."""
    keep_up(stage)
    up = [host for host in stage.hosts if host.is_up()]
    return up if len(up) > 1 else []


def _kill_one(stage: Stage, cycle: int, rng: random.Random) -> None:
    """A worker that is up, or the dispatcher's host, is killed and started again at once."""
    if cycle % FLUSH_EVERY == FLUSH_EVERY - 1:
        with stage.chronicle.happening(Kind.FLUSH, ""):
            stage.cluster.services.valkey.flush()
    up = wait_for(lambda: _two_up(stage), seconds=UP_SECONDS, what="two workers up")
    leader = stage.leader() if cycle % LEADER_EVERY == 0 else None
    victim = leader or rng.choice(up)
    with (
        victim.turn,
        stage.chronicle.happening(Kind.KILL_LEADER if victim is leader else Kind.KILL, victim.name),
    ):
        victim.kill()
        victim.start()
