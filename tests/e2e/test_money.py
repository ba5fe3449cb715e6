"""The account runs out of credits in mid-run: no job fails, no call is wasted, and the run resumes by itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from api_models.status import JobStatus
from tests.cluster.money import PRICE, run_dry, run_on_a_budget
from tests.cluster.shape import Shape
from tests.cluster.spending import WAYS, Kind, Spree, spend
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from worker.cli.console.exits import Exit
from worker.emulator.config import EmulatorConfig

LINES = [f"Cabin {number} has a view of the harbour." for number in range(1, 121)]


def test_credit_that_runs_out_holds_the_run_until_it_is_topped_up(start_cluster: StartCluster) -> None:
    """With every slot in use no more than those calls are refused; the ledger is the bill, to the last digit."""
    shape = Shape(
        slots=10,
        latency_seconds=0.3,
        emulator=EmulatorConfig(audio_bytes=24_044, credits=50 * PRICE, jitter=0.5),
        settings={"SEGMIND_RPM": "unlimited", "TTSQ_PROBE_SECONDS": "0.5", "TTSQ_LOW_BALANCE": "0.2"},
    )
    cluster = start_cluster(shape)

    halt = run_dry(cluster, LINES)

    print(f"406 answers: {halt.ended.refused} with {shape.workers * shape.slots} slots")
    assert halt.hold.code == "insufficient_credits"
    assert 0 < halt.held.refused <= shape.workers * shape.slots
    assert halt.ended.refused == halt.held.refused, "a call was made before the account was topped up"
    assert halt.held.counts.of(JobStatus.SUCCEEDED) == 50
    assert halt.ended.counts.by_status == {JobStatus.SUCCEEDED: len(LINES)}
    assert halt.attempts_used == {1}
    assert halt.held.agree
    assert halt.ended.agree
    assert [event.type for event in halt.ended.events] == ["account.low_balance", "account.held", "account.released"]


def test_a_budget_holds_the_rest_until_it_is_raised(start_cluster: StartCluster) -> None:
    """What is spent ends at or under it, with all slots in use; nothing fails for it; raised, the rest runs."""
    limit = Decimal("0.50")
    emulator = EmulatorConfig(audio_bytes=24_044, jitter=0.5)
    settings = {"SEGMIND_RPM": "unlimited"}
    cluster = start_cluster(Shape(slots=10, latency_seconds=0.2, emulator=emulator, settings=settings))

    halt = run_on_a_budget(cluster, LINES, limit)

    print(f"spent {halt.held.ledger} of {limit}; {halt.hold.message}")
    assert halt.hold.code == "budget"
    assert halt.held.agree
    assert limit - PRICE < halt.held.bill.billed <= limit
    assert halt.held.counts.by_status == {JobStatus.SUCCEEDED: 74, JobStatus.QUEUED: 46}
    assert halt.ended.counts.by_status == {JobStatus.SUCCEEDED: len(LINES)}
    assert halt.ended.agree
    assert halt.attempts_used == {1}


@pytest.mark.parametrize("kind", list(Kind))
def test_no_budget_is_overdrawn_by_any_way_in_or_any_kill(start_cluster: StartCluster, kind: Kind) -> None:
    """By whatever way jobs come in: 64 requests at once on a fresh key, sheets, messages over the broker, hooks,
    a schedule, a producer's own transaction; and all of it retried after a cancellation.

    The API bills no more than the budget; a call with an unknown outcome counts at list price.
    """
    shape = Shape(
        slots=8,
        latency_seconds=0.5,
        emulator=EmulatorConfig(audio_bytes=4_844, jitter=0.5),
        settings={"SEGMIND_RPM": "unlimited"},
    )

    spent = spend(start_cluster(shape), Spree(kind, limit=Decimal("0.50")))

    print(
        f"{kind}: billed {spent.billed} of {spent.limit.amount} in {spent.calls} calls; unclear {spent.limit.unclear}"
    )
    assert spent.faults == []
    assert kind is not Kind.MONTH or spent.ways == set(WAYS)


def test_a_limit_given_on_resume_bounds_what_follows(start_cluster: StartCluster) -> None:
    """Raised, lowered below what is spent, and raised again, while workers are killed: no limit is ever exceeded."""
    emulator = EmulatorConfig(audio_bytes=4_844, jitter=0.5)
    cluster = start_cluster(
        Shape(slots=8, latency_seconds=0.3, emulator=emulator, settings={"SEGMIND_RPM": "unlimited"})
    )
    (cluster.home / "producer").mkdir(exist_ok=True)
    (cluster.home / "producer/sheet.txt").write_text("\n".join(LINES), encoding="utf-8")
    highest = Decimal(0)
    for limit in ("0.10", "0.20", "0.05", "0.30"):
        before = cluster.emulator.admin.state(detail=False).billed
        with ThreadPoolExecutor(1) as executor:
            run = executor.submit(cluster.ttsq, "run", "sheet.txt", "--max-cost", limit, "--json")
            if limit != "0.05":
                wait_for(
                    lambda spent=before: cluster.emulator.admin.state(detail=False).billed > spent,  # type: ignore[misc]
                    seconds=60,
                    what="a call under the new limit",
                )
                cluster.kill(next(worker for worker in cluster.workers if worker.alive))
                cluster.add_worker()
            ended = run.result()
        billed = cluster.emulator.admin.state(detail=False).billed
        print(f"--max-cost {limit}: exit {ended.returncode}, ${billed} billed")
        assert ended.returncode == Exit.HELD, ended.stderr
        highest = max(highest, Decimal(limit))
        assert billed <= highest, "more was billed than any limit allowed"
        assert limit != "0.05" or billed == before, "something was bought under a limit that was used up"
