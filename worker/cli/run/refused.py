"""A run held by refused takes: what was refused, how to listen to it, how to resume. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from worker.artifacts.addresses import path_of
from worker.cli.console.format import cut, number, short
from worker.cli.run import summary
from worker.cli.run.order import Order
from worker.cli.run.rehearsal import DATABASE_URL as REHEARSAL_DATABASE_URL
from worker.cli.snapshot import Snapshot
from worker.dispatch.gates.take_runs import RESUMED_TAKES
from worker.store import lane_takes
from worker.store.database import Database
from worker.store.lane_takes import HeldLane
from worker.store.queries import jobs, refusals
from worker.store.queries.holds import sentence
from worker.store.queries.refusals import KeptTake

SHOWN_TAKES: Final = 3
MESSAGE_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class Refusal:
    """Texts held because earlier takes were refused."""

    held: int
    lanes: tuple[HeldLane, ...]
    takes: tuple[KeptTake, ...]
    """The latest kept takes."""
    batch: UUID

    @property
    def why(self) -> str:
        return " ".join(
            f"The last {number(lane.count.refused, 'paid take')} of {_whose(lane)} were all refused;"
            f" the latest: {cut(sentence(lane.count.message), MESSAGE_CHARACTERS)}"
            for lane in self.lanes
        )


def _whose(lane: HeldLane) -> str:
    return f"{lane.count.model} in other batches" if lane.count.code == lane_takes.OTHERS else lane.count.model


def find(database: Database, batch: UUID, snapshot: Snapshot) -> Refusal | None:
    """Return what refused takes hold of a batch, or None."""
    if not snapshot.held_by_takes:
        return None
    with database.read() as connection:
        lanes = [lane for lane in lane_takes.held(connection) if lane.batch_id == batch]
        takes = refusals.kept_takes(connection, jobs.of_batch(batch), most=SHOWN_TAKES)
    return Refusal(snapshot.held_by_takes, tuple(lanes), tuple(takes), batch)


def lines(refusal: Refusal, order: Order) -> Iterator[str]:
    yield f"{refusal.why} Nothing more was bought."
    if refusal.takes:
        yield "To listen to refused takes:"
        yield from (f"  {path_of(take.uri) or take.uri}" for take in refusal.takes)
        yield f"  {_environment(order)}ttsq jobs show {refusal.takes[0].job_id}   (measurements)"
    yield f"To buy {RESUMED_TAKES} more takes, and the remaining texts once one is accepted:"
    yield f"  {_environment(order)}ttsq batch resume {short(refusal.batch)}"
    yield f"  {summary.again(order, None)}"
    yield (
        "To continue regardless, set TTSQ_HOLD_AFTER_REFUSED=0 (never hold) or TTSQ_TAKE_CHECKS=off"
        " (accept takes unchecked) before resuming."
    )


def _environment(order: Order) -> str:
    """Return the prefix of commands that must read the rehearsal's queue."""
    return f"TTSQ_DATABASE_URL={REHEARSAL_DATABASE_URL} " if order.rehearse else ""
