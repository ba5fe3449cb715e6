"""Admission: priority first, then in turn over tenants and lanes, and never more than there are places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from api_models.verdict import GateScope
from tests.factories import MODEL, OTHER_MODEL, a_gate, a_lane, waiting_jobs
from worker.dispatch.fairness.admission import admissible, admit, first_turns
from worker.dispatch.gates.rules import blocked
from worker.store.transitions.dispatches import Lane, Waiting


class Queue:
    """What waits, by lane; it counts the rows that are read."""

    def __init__(self, sizes: dict[Lane, int]) -> None:
        self.waiting = {lane: waiting_jobs(size) for lane, size in sizes.items()}
        self.lane_of = {job.job_id: lane for lane, jobs in self.waiting.items() for job in jobs}
        self.read: Counter[Lane] = Counter()

    def heads(self, lane: Lane, most: int) -> Sequence[Waiting]:
        """The first jobs of a lane."""
        found = self.waiting[lane][:most]
        self.read[lane] += len(found)
        return found

    def admit(self, places: int) -> list[Waiting]:
        """Who goes next."""
        return admit(list(self.waiting), places, self.heads)

    def shares(self, places: int) -> Counter[Lane]:
        """How many of the places each lane got."""
        return Counter(self.lane_of[job.job_id] for job in self.admit(places))


lanes = st.builds(
    Lane,
    priority=st.integers(-2, 2),
    tenant=st.sampled_from(["ann", "bob", "cy"]),
    lane=st.integers(1, 4).map(lambda number: UUID(int=number)),
    model=st.sampled_from([MODEL, OTHER_MODEL]),
)
queues = st.dictionaries(lanes, st.integers(1, 30), max_size=12).map(Queue)


@given(queue=queues, places=st.integers(0, 60))
def test_the_places_are_filled_and_never_overfilled(queue: Queue, places: int) -> None:
    """Exactly min(places, jobs) start, and no job twice."""
    chosen = queue.admit(places)
    assert len(chosen) == min(places, len(queue.lane_of))
    assert len({job.job_id for job in chosen}) == len(chosen)


@given(queue=queues, places=st.integers(0, 60))
def test_whose_turns_come_first_is_known_before(queue: Queue, places: int) -> None:
    """The lanes that are read first, while nothing holds anybody: those of the most urgent, as many as have places."""
    first = first_turns(queue.waiting, places)
    queue.admit(places)
    assert first == list(queue.read)[: len(first)]
    assert len(first) == min(places, sum(lane.priority == max(queue.waiting).priority for lane in queue.waiting))


@given(queue=queues, places=st.integers(1, 60))
def test_no_job_waits_behind_a_lower_priority(queue: Queue, places: int) -> None:
    """A job is admitted only if everything of a higher priority is."""
    chosen = {job.job_id for job in queue.admit(places)}
    left = [lane.priority for job, lane in queue.lane_of.items() if job not in chosen]
    taken = [lane.priority for job, lane in queue.lane_of.items() if job in chosen]
    assert not left or min(taken) >= max(left)


@given(queue=queues, places=st.integers(1, 60))
def test_within_a_lane_the_first_come_goes_first(queue: Queue, places: int) -> None:
    """What is admitted of a lane is its head, in order."""
    chosen = queue.admit(places)
    for lane, waiting in queue.waiting.items():
        mine = [job for job in chosen if queue.lane_of[job.job_id] == lane]
        assert mine == waiting[: len(mine)]


@given(queue=queues, places=st.integers(1, 60))
def test_tenants_of_one_priority_share_evenly(queue: Queue, places: int) -> None:
    """A tenant with jobs left over never has two places less than another one of the same priority."""
    by_tenant: dict[tuple[int, str], int] = {}
    total: dict[tuple[int, str], int] = {}
    for lane, got in queue.shares(places).items():
        by_tenant[lane.priority, lane.tenant] = by_tenant.get((lane.priority, lane.tenant), 0) + got
    for lane, jobs in queue.waiting.items():
        total[lane.priority, lane.tenant] = total.get((lane.priority, lane.tenant), 0) + len(jobs)
    for (priority, _), most in by_tenant.items():
        hungry = [
            by_tenant.get(key, 0) for key, jobs in total.items() if key[0] == priority and by_tenant.get(key, 0) < jobs
        ]
        assert all(most - got <= 1 for got in hungry)


def test_lanes_of_one_tenant_take_turns() -> None:
    """Three batches share nine places, three each."""
    batches = [a_lane(lane=UUID(int=number)) for number in (1, 2, 3)]
    assert Queue(dict.fromkeys(batches, 100)).shares(9) == Counter(dict.fromkeys(batches, 3))


def test_a_huge_batch_never_starves_a_single_job() -> None:
    """One line of another batch or tenant is among the first two, behind thousands."""
    huge = a_lane(lane=UUID(int=1))
    for small in (a_lane(lane=UUID(int=2)), a_lane(tenant="zoe", lane=UUID(int=3)), a_lane(tenant="amy")):
        assert Queue({huge: 5_000, small: 1}).shares(2) == Counter({huge: 1, small: 1})


def test_a_high_priority_takes_every_place_first() -> None:
    """The rest gets what is left."""
    urgent, plain = a_lane(priority=5, tenant="zoe"), a_lane(priority=0)
    queue = Queue({plain: 50, urgent: 8})
    assert queue.shares(10) == Counter({urgent: 8, plain: 2})
    assert [queue.lane_of[job.job_id].priority for job in queue.admit(10)] == [5] * 8 + [0] * 2


@given(queue=queues, places=st.integers(0, 20))
def test_no_more_rows_are_read_than_there_are_places(queue: Queue, places: int) -> None:
    """Of each lane, however long it is."""
    queue.admit(places)
    assert all(read <= places for read in queue.read.values())


def test_a_held_job_holds_only_those_behind_it() -> None:
    """A job that may not go takes no place, and its lane ends there for now."""
    first, second = a_lane(tenant="ann"), a_lane(tenant="bob")
    queue = Queue({first: 10, second: 10})
    held = queue.waiting[first][2]
    chosen = admit([first, second], 12, queue.heads, lambda _, job: job != held)
    assert Counter(queue.lane_of[job.job_id] for job in chosen) == Counter({first: 2, second: 10})
    assert [job for job in chosen if queue.lane_of[job.job_id] == first] == queue.waiting[first][:2]


def test_lanes_whose_turn_has_not_come_are_not_read() -> None:
    """With a place for two, of a hundred tenants' lanes two are."""
    queue = Queue({a_lane(tenant=f"tenant {number:03}"): 5 for number in range(100)})
    queue.admit(2)
    assert len(queue.read) == 2


def test_closed_gates_hold_lanes_back() -> None:
    """A model's gate holds its lanes, the account's all of them."""
    both = [a_lane(model=MODEL), a_lane(model=OTHER_MODEL)]
    model_gate = a_gate(scope=GateScope.MODEL, model=OTHER_MODEL)
    assert admissible(both, blocked([])) == both
    assert admissible(both, blocked([model_gate])) == both[:1]
    assert admissible(both, blocked([a_gate()])) == []
