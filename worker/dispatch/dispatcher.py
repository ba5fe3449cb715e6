"""The dispatcher: a thread in every worker process, of which one leads. A tick of it is `run_once`.

Its weakness: everything that starts passes through one process and one database row. Another one takes over within
seconds, but two never share the load.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api_models.verdict import GateScope, VerdictKind
from worker.dispatch import admission, gates, pace
from worker.dispatch.probes import Prober
from worker.store import account, attempts, leases, views, workers
from worker.store.account import Gate, PaceState
from worker.store.attempts import Ended
from worker.store.database import Database
from worker.store.transitions import dispatching, rescuing
from worker.store.transitions.dispatching import Lane, Waiting

LEASE: Final = "dispatcher"
LEASE_SECONDS: Final = 4.0
"""A dead leader is replaced within this time and one follower's poll: under five seconds."""
FOLLOWER_POLL_SECONDS: Final = 0.5
BUSY_POLL_SECONDS: Final = 0.1
"""The longest wait between two ticks of a leader with work; a wake-up cuts it short."""
IDLE_POLL_SECONDS: Final = 0.25
GATHER_SECONDS: Final = 0.1
"""The least time between two ticks: wake-ups that come together are answered together."""
EMBEDDED_GATHER_SECONDS: Final = 0.04
"""The same where the database is a file beside it, and a tick costs little."""
HEARTBEAT_LAPSE_SECONDS: Final = 8.0
"""A worker that was not heard of for so long is given up, and its jobs go on elsewhere."""
DOUBT_SECONDS: Final = HEARTBEAT_LAPSE_SECONDS / 2
"""Age from which an unclaimed message may have died with a worker that is given up now: its last sign of life came
twice as long ago, and it beat four times as often."""
BLIND_SECONDS: Final = 3.0
"""A gap between two looks at the database from which on silence may be the database's own."""
REGAIN_SECONDS: Final = 3.0
"""After such a gap every worker gets the time for a beat before it is given up."""
MOST_LANES: Final = 500
CHORES_SECONDS: Final = 0.25
"""Promotion, expiry and rescue need no finer clock than this."""

log = structlog.get_logger("ttsq.dispatch")

Publish = Callable[[Sequence[Waiting]], Sequence[Waiting]]
"""Sends a message a job; returns those that could not be sent."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Which workers this dispatcher can wake."""

    queue: str
    only_worker: UUID | None = None
    """The worker of this process, where the broker lives in its memory; None for a broker that all share."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings that a dispatcher goes by."""

    rpm: float | Literal["auto"] | None
    dispatch_timeout: float
    probe_seconds: float
    max_attempts: int


@dataclass(slots=True)
class _Tick:
    """What one tick found and did; only for the wait that follows it."""

    leads: bool = False
    busy: bool = False
    next_chance: datetime | None = None
    now: datetime | None = None


@dataclass(slots=True)
class Dispatcher:
    """Leads, or waits to. `start` and `stop` drive the thread; `run_once` is one tick, for the thread and for tests."""

    database: Database
    me: UUID
    reach: Reach
    limits: Limits
    publish: Publish
    prober: Prober
    rng: random.Random = field(default_factory=random.Random)
    _wake: threading.Event = field(default_factory=threading.Event)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _leads: bool = False
    _pace: PaceState | None = None
    _chores_due: datetime | None = None
    _looked_at: datetime | None = None
    _blind_until: datetime | None = None

    def start(self) -> None:
        """Begin ticking in a thread of its own."""
        self._thread = threading.Thread(target=self._loop, name="ttsq-dispatcher", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Something has changed: look now rather than at the next poll. A follower has nothing to look at."""
        if self._leads:
            self._wake.set()

    def stop(self, timeout: float = 10.0) -> None:
        """Stop admitting at once, and hand the lead to whoever is next."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()  # before the look: what changes during it wakes the next one
            try:
                tick = self.run_once()
            except SQLAlchemyError as error:
                log.warning("database_trouble", error=str(error).splitlines()[0], remedy="check the database; retrying")
                tick = _Tick()
            except Exception:
                # Without this thread nothing starts any more, and nobody would know: it must outlive any surprise.
                log.exception("dispatcher_surprised")
                tick = _Tick()
            if tick.leads != self._leads:
                self._leads = tick.leads
                log.info("leadership", leads=tick.leads)
            gather_seconds = EMBEDDED_GATHER_SECONDS if self.database.is_sqlite else GATHER_SECONDS
            # A rate may ask for a start sooner than that.
            wait_seconds = _wait_seconds(tick)
            self._stopping.wait(min(gather_seconds, wait_seconds))
            self._wake.wait(max(0.0, wait_seconds - gather_seconds))

    def run_once(self) -> _Tick:
        """One tick: lead or don't; chores; read what ended; admit; publish."""
        with self.database.begin() as connection:
            now = self.database.now(connection)
            self._note_gap(now)
            if not leases.hold(connection, LEASE, self.me, seconds=LEASE_SECONDS, now=now):
                self._pace = None
                return _Tick()
            self._chores(connection, now)
            pace_before = self._pace or account.load_pace(connection)
            paced = pace.over_time(pace.with_ceiling(pace_before, self.limits.rpm), now)
            closed = account.closed_gates(connection)
            paced, closed = self._learn(connection, paced, closed, now)
            closed = self._probe(connection, closed, now)
            chosen, paced, waiting = self._admit(connection, paced, closed, now)
            if paced != pace_before:
                account.save_pace(connection, paced)
            self._pace = paced
        # Published only now that the rows are committed: a message must never be ahead of its row.
        unsent = self.publish(chosen) if chosen else []
        if unsent:
            with self.database.begin() as connection:
                dispatching.take_back(connection, [job.job_id for job in unsent])
        return _Tick(leads=True, busy=waiting or bool(chosen), next_chance=pace.next_chance(paced, now), now=now)

    def _chores(self, connection: Connection, now: datetime) -> None:
        if self._chores_due is not None and now < self._chores_due:
            return
        self._chores_due = now + timedelta(seconds=CHORES_SECONDS)
        dispatching.promote(connection, now=now)
        if expired := dispatching.expire(connection, now=now):
            log.info("expired", jobs=expired)
        overdue = now - timedelta(seconds=self.limits.dispatch_timeout)
        if lost := dispatching.give_up_messages(connection, sent_before=overdue):
            log.warning("messages_lost", jobs=lost)
        self._rescue(connection, now)

    def _note_gap(self, now: datetime) -> None:
        """After an outage of the database all heartbeats are old, and none of their workers need be dead."""
        if self._looked_at is not None and (now - self._looked_at).total_seconds() > BLIND_SECONDS:
            self._blind_until = now + timedelta(seconds=REGAIN_SECONDS)
        self._looked_at = now

    def _rescue(self, connection: Connection, now: datetime) -> None:
        if self._blind_until is not None and now < self._blind_until:
            return
        limit = now - timedelta(seconds=HEARTBEAT_LAPSE_SECONDS)
        dead = [member for member in workers.present(connection) if member.heartbeat_at < limit]
        if not dead:
            return
        rescued = rescuing.rescue(
            connection, [member.id for member in dead], max_attempts=self.limits.max_attempts, now=now
        )
        for member in dead:
            workers.sign_off(connection, member.id, now=now)
            silent = round((now - member.heartbeat_at).total_seconds(), 1)
            log.warning("worker_lost", worker=str(member.id), host=member.host, pid=member.pid, silent_seconds=silent)
        # Messages that died with a worker, between the broker and its claim, are not told apart from those that still
        # wait in the broker. All are sent anew: a second message for the same turn changes nothing.
        unclaimed = dispatching.give_up_messages(connection, sent_before=now - timedelta(seconds=DOUBT_SECONDS))
        log.warning("rescued", requeued=rescued.requeued, failed=rescued.failed, unclaimed=unclaimed)

    def _learn(
        self, connection: Connection, paced: PaceState, closed: list[Gate], now: datetime
    ) -> tuple[PaceState, list[Gate]]:
        """Read the attempts that ended, and let pace and gates follow."""
        news = attempts.take_news(connection)
        for ended in news:
            match ended.verdict:
                case VerdictKind.PACE:
                    paced = self._slow_down(paced, ended, now)
                case VerdictKind.GATE:
                    closed = self._close(connection, closed, ended, now)
                case VerdictKind.SUCCESS | VerdictKind.BAD_TAKE:
                    paced = pace.after_success(paced, started_at=ended.started_at)
                    closed = _open(connection, closed, gates.opened_by(ended, closed))
                case _:
                    pass
        return paced, closed

    def _slow_down(self, paced: PaceState, ended: Ended, now: datetime) -> PaceState:
        slower = pace.after_refusal(
            paced,
            refused_at=ended.finished_at,
            started_at=ended.started_at,
            reset_at=ended.reset_at,
            message=ended.message or "",
            now=now,
            rng=self.rng,
        )
        if slower.strikes != paced.strikes:
            log.warning("rate_limited", paused_until=slower.paused_until, message=ended.message)
        return slower

    def _close(self, connection: Connection, closed: list[Gate], ended: Ended, now: datetime) -> list[Gate]:
        name = gates.closed_by(ended)
        if name is None or ended.scope is None:
            return closed
        code, message = ended.code or "unknown", ended.message or "no reason given"
        known = next((gate for gate in closed if gate.name == name), None)
        if known is not None:
            account.still_closed(connection, name, code=code, message=message)
            return closed
        probe_at = now + gates.wait_before_probe(0, self.limits.probe_seconds)
        model = ended.model if ended.scope is GateScope.MODEL else None
        account.close_gate(connection, ended.scope, model, code=code, message=message, next_probe_at=probe_at, now=now)
        log.warning("gate_closed", gate=name, code=code, message=message, next_probe_at=probe_at)
        return [*closed, Gate(name, ended.scope, model, code, message, now, probe_at, 0)]

    def _probe(self, connection: Connection, closed: list[Gate], now: datetime) -> list[Gate]:
        """Take the results of free checks, and start those that are due. What is still closed comes back."""
        for seen in self.prober.passed():
            # A gate that closed anew while it was looked at has another time, and the look proves nothing about it.
            proved = [gate for gate in closed if (gate.name, gate.since) == (seen.name, seen.since)]
            closed = _open(connection, closed, proved)
        for gate in gates.due_probes(closed, now):
            if gates.is_free(gate) and self._begin_probe(connection, gate, now):
                self.prober.check(gate)
        return closed

    def _begin_probe(self, connection: Connection, gate: Gate, now: datetime) -> bool:
        later = now + gates.wait_before_probe(gate.probes + 1, self.limits.probe_seconds)
        log.info("gate_probe", gate=gate.name, code=gate.code, next_probe_at=later)
        return account.begin_probe(connection, gate, next_probe_at=later)

    def _admit(
        self, connection: Connection, paced: PaceState, closed: Sequence[Gate], now: datetime
    ) -> tuple[list[Waiting], PaceState, bool]:
        """Choose who starts now. Also tells whether somebody would start if there were more places."""
        free = 0 if self._stopping.is_set() else self._free_slots(connection, now)
        places = pace.permitted(paced, now, free)
        if places <= 0:
            return [], paced, free > 0 or pace.is_paused(paced, now)
        lanes = dispatching.lanes(connection, most=MOST_LANES)
        if not lanes:
            return [], paced, False
        blocked = gates.blocked(closed)
        # Probes go first: behind another model's endless jobs they would never find a place.
        chosen = self._probe_jobs(connection, closed, lanes, places, now)
        chosen += admission.admit(
            admission.admissible(lanes, blocked),
            places - len(chosen),
            lambda lane, most: dispatching.heads(connection, lane, most=most),
        )
        dispatched = dispatching.dispatch(
            connection, [job.job_id for job in chosen], worker_id=self.reach.only_worker, now=now
        )
        return dispatched, pace.after_starts(paced, now, len(dispatched)), True

    def _probe_jobs(
        self, connection: Connection, closed: Sequence[Gate], lanes: Sequence[Lane], places: int, now: datetime
    ) -> list[Waiting]:
        """One real job for each gate whose probe is due and costs a call, as far as there are places."""
        jobs: list[Waiting] = []
        for gate in gates.due_probes(closed, now):
            if len(jobs) == places:
                break
            others = gates.blocked([other for other in closed if other.name != gate.name])
            theirs = [lane for lane in admission.admissible(lanes, others) if gate.model in {None, lane.model}]
            if gates.is_free(gate) or not theirs or not self._begin_probe(connection, gate, now):
                continue
            jobs += admission.admit(theirs, 1, lambda lane, most: dispatching.heads(connection, lane, most=most))
        return jobs

    def _free_slots(self, connection: Connection, now: datetime) -> int:
        limit = now - timedelta(seconds=HEARTBEAT_LAPSE_SECONDS)
        fit = [
            member
            for member in workers.present(connection)
            if member.queue == self.reach.queue
            and member.heartbeat_at >= limit
            and not member.stopping
            and member.trouble is None
        ]
        if not fit:
            return 0
        # What others still have in hand, as a worker that is stopping, takes no slot of these.
        taken = views.in_flight_by_worker(connection)
        unclaimed = taken.get(None, 0)
        return sum(member.slots - taken.get(member.id, 0) for member in fit) - unclaimed


def _open(connection: Connection, closed: list[Gate], opening: Sequence[Gate]) -> list[Gate]:
    for gate in opening:
        if account.open_gate(connection, gate.name):
            log.info("gate_opened", gate=gate.name, code=gate.code, since=gate.since)
    names = {gate.name for gate in opening}
    return [gate for gate in closed if gate.name not in names]


def _wait_seconds(tick: _Tick) -> float:
    if not tick.leads:
        return FOLLOWER_POLL_SECONDS
    wait = BUSY_POLL_SECONDS if tick.busy else IDLE_POLL_SECONDS
    if tick.next_chance is None or tick.now is None:
        return wait
    until_chance = (tick.next_chance - tick.now).total_seconds()
    return min(wait, max(until_chance, EMBEDDED_GATHER_SECONDS)) if until_chance > 0 else wait
