"""The dispatcher: one thread in every worker process, one of which leads. `run_once` is one tick.

Weakness: every start passes through one process and one database row. Another process takes over within seconds, but
two never share the load.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from worker.dispatch import capacity
from worker.dispatch.budget import Spending
from worker.dispatch.capacity import Flow, Room
from worker.dispatch.config import DispatchLimits, Publish, WorkerScope
from worker.dispatch.fairness.ageing import Ageing
from worker.dispatch.fairness.reserve import Reserve
from worker.dispatch.feedback import Feedback
from worker.dispatch.gates.balance import BalanceWatch
from worker.dispatch.gates.gatekeeper import Gatekeeper
from worker.dispatch.gates.probes import Prober
from worker.dispatch.gates.take_holds import TakeHolds
from worker.dispatch.housekeeping import Housekeeping, Rescue
from worker.dispatch.listener import Listener
from worker.dispatch.rate import pace
from worker.dispatch.starter import Admission, Started
from worker.dispatch.tick import EMBEDDED_GATHER_SECONDS, GATHER_SECONDS, LeadershipStats, Tick, wait_seconds
from worker.dispatch.wakeup import Rhythm, Wakeup, after_tick, quick_delay
from worker.store import account, workers
from worker.store.account import PaceState
from worker.store.database import Database
from worker.store.errors import describe
from worker.store.transitions import dispatches
from worker.telemetry.outage_log import OutageLog

LEASE_SECONDS: Final = 4.0
"""A dead leader is replaced within this time plus one follower poll: under five seconds."""

log = structlog.get_logger("ttsq.dispatch")


@dataclass(slots=True)
class Dispatcher:
    """Leads, or stands by. `start` and `stop` drive the thread, which calls `run_once`; so do tests."""

    database: Database
    me: UUID
    scope: WorkerScope
    limits: DispatchLimits
    publish: Publish
    prober: Prober
    rng: random.Random = field(default_factory=random.Random)
    is_cut_off: Callable[[], bool] = lambda: False
    """Whether messages cannot be published at the moment."""
    max_wait: Callable[[Tick], float] = wait_seconds
    """Maximum seconds from a tick to the next one."""
    rescue: Rescue = field(init=False)
    housekeeping: Housekeeping = field(init=False)
    _keeper: Gatekeeper = field(init=False)
    _feedback: Feedback = field(init=False)
    _spending: Spending = field(init=False)
    _admission: Admission = field(init=False)
    _outage: OutageLog = field(default_factory=lambda: OutageLog(log, "database_trouble"))
    _wakeup: Wakeup = field(default_factory=Wakeup)
    _listener: Listener = field(init=False)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _leads: bool = False
    _pace: PaceState | None = None
    _flow: Flow = field(default_factory=Flow)

    def __post_init__(self) -> None:
        self.rescue = Rescue(self.limits.max_attempts)
        self.housekeeping = Housekeeping(self.limits.dispatch_timeout, self.rescue)
        self._keeper = Gatekeeper(self.prober, self.limits.probe_seconds)
        self._feedback = Feedback(self._keeper, BalanceWatch(self.limits.low_balance), self.rng)
        self._spending = Spending()
        self._admission = Admission(
            self.scope,
            self._keeper,
            self._spending,
            Reserve(self.limits.reserved_share),
            Ageing(self.limits.ageing_seconds),
            TakeHolds(self.limits.hold_after_refused),
        )
        self._listener = Listener(self.database, self.arrived, lambda: self._leads)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name="ttsq-dispatcher", daemon=True)
        self._thread.start()
        self._listener.start()

    def wake(self) -> None:
        """Request a tick after a change. Does nothing on a follower."""
        if self._leads:
            self._wakeup.change()

    def arrived(self) -> None:
        """Request an immediate tick after new jobs, within the limit on quick ticks."""
        if self._leads:
            self._wakeup.arrive()

    @property
    def leads(self) -> bool:
        """Whether this dispatcher led at its last tick. Other once-per-installation tasks follow it."""
        return self._leads

    def stop(self, timeout: float = 10.0) -> None:
        """Stop dispatching at once and release the lease."""
        self._stopping.set()
        self._wakeup.stop()
        if self._thread is not None:
            self._thread.join(timeout)
        self._listener.stop(timeout)

    def _loop(self) -> None:
        gather = EMBEDDED_GATHER_SECONDS if self.database.is_sqlite else GATHER_SECONDS
        rhythm, stats = Rhythm(), LeadershipStats()
        while not self._stopping.is_set():
            self._wakeup.forget()
            with stats.tick():
                tick = self._tick()
            if tick.leads != self._leads:
                self._leads = tick.leads
                log.info("leadership_changed", leads=tick.leads, **({} if tick.leads else stats.summary()))
            if not tick.leads:
                stats = LeadershipStats()
            rhythm = after_tick(rhythm, time.monotonic(), gather)
            self._wakeup.wait(self.max_wait(tick), change=gather, arrival=quick_delay(rhythm, gather))
        if self._leads:
            log.info("leadership_ended", **stats.summary())

    def _tick(self) -> Tick:
        tick = Tick()
        try:
            tick = self.run_once()
            self._outage.recovered()
        except SQLAlchemyError as error:
            self._outage.failing(describe(error), remedy="retrying; run `ttsq doctor` for details")
        except Exception:
            # Without this thread no job starts: it must survive unexpected errors.
            log.exception("dispatcher_crashed")
        return tick

    def run_once(self) -> Tick:
        """Run one tick: renew the lease, do housekeeping, read results, probe gates, start jobs, publish."""
        with self.database.begin() as connection:
            now = self.database.now(connection)
            leads = not self._yields_lead(connection, now) and workers.hold(
                connection, workers.DISPATCHER, self.me, seconds=LEASE_SECONDS, now=now
            )
            # After the write: a database that is read-only has recorded no heartbeats either.
            self.rescue.note_read(now)
            if not leads:
                self._pace, self._flow = None, Flow()
                self._admission.forget()
                return Tick()
            started = self._start_jobs(connection, now)
        # After the commit: a message must never be ahead of its row.
        unsent = self.publish(started.jobs) if started.jobs else []
        if unsent:
            with self.database.begin() as connection:
                dispatches.take_back(connection, [job.job_id for job in unsent])
        return Tick(leads=True, busy=started.more, next_chance=pace.next_chance(started.paced, now), now=now)

    def _start_jobs(self, connection: Connection, now: datetime) -> Started:
        self._admission.single_flight.load(connection)
        self.housekeeping.run_once(connection, now)
        # Before reading results: a slot freed by a failure must not be filled as if it had succeeded.
        idle = self._stopping.is_set() or self.is_cut_off()
        room = Room() if idle else capacity.room(connection, self.scope, now)
        pace_before = self._pace or account.load_pace(connection)
        paced = pace.over_time(pace.with_ceiling(pace_before, self.limits.rpm), now)
        closed = self._keeper.look(connection, now)
        paced, closed, finished = self._feedback.apply(connection, paced, closed, now)
        self._flow = capacity.after(self._flow, ended=len(finished), now=now)
        self._spending.learn(finished)
        self._admission.take_holds.learn(connection, finished, now)
        self._admission.single_flight.release(connection, finished)
        closed = self._keeper.check(connection, closed, now)
        started = self._admission.start(
            connection, paced, closed, now, free=self._places(room, paced), slots=room.total
        )
        if started.paced != pace_before:
            account.save_pace(connection, started.paced)
        self._pace = started.paced
        return started

    def _places(self, room: Room, paced: PaceState) -> int:
        """Return the free slots plus those that will be free before a message sent now is claimed.

        With a rate limit the extra slots bring nothing: jobs wait for the pace, which counts starts as they are
        published.
        """
        limited = paced.rpm is not None or pace.found_rate(paced) is not None
        return room.free if limited else room.free + capacity.ahead(self._flow, room.total)

    def _yields_lead(self, connection: Connection, now: datetime) -> bool:
        """Release the lease if this dispatcher can reach no worker and others exist. Returns whether it did."""
        if not self.is_cut_off() or all(member.id == self.me for member in capacity.fit(connection, self.scope, now)):
            return False
        workers.release_leases(connection, self.me)
        return True
