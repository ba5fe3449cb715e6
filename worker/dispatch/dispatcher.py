"""The dispatcher: one thread in every worker process, one of which leads. `run_once` is one tick.

Weakness: every start passes through one process and one database row. Another process takes over within seconds, but
two never share the load.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from worker.dispatch import capacity
from worker.dispatch.budget import Spending
from worker.dispatch.capacity import Flow, Room
from worker.dispatch.clock import ClockWatch
from worker.dispatch.config import DispatchLimits, Publish, WorkerScope
from worker.dispatch.fairness.ageing import Ageing
from worker.dispatch.fairness.reserve import Reserve
from worker.dispatch.feedback import Feedback
from worker.dispatch.gates.balance import BalanceWatch
from worker.dispatch.gates.gatekeeper import Gatekeeper
from worker.dispatch.gates.probes import Prober
from worker.dispatch.gates.take_holds import TakeHolds
from worker.dispatch.housekeeping import Housekeeping, Rescue
from worker.dispatch.lease import LeaderLease
from worker.dispatch.listener import Listener
from worker.dispatch.rate import pace
from worker.dispatch.starter import Admission, Started
from worker.dispatch.tick import (
    EMBEDDED_GATHER_SECONDS,
    GATHER_SECONDS,
    REST_SECONDS,
    LeadershipStats,
    Tick,
    checkpoint,
    wait_seconds,
)
from worker.dispatch.wakeup import Rhythm, Wakeup, after_tick, quick_delay
from worker.store import account, clock_steps, notifications, pending, workers
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
    odd: Callable[[], Collection[UUID]] = tuple
    """Workers that differ from the others in what must be alike: none of them leads while another can."""
    max_wait: Callable[[Tick], float] = wait_seconds
    """Maximum seconds from a tick to the next one."""
    on_arrival: dict[str, Callable[[], object]] = field(default_factory=dict)
    """What is called after a notification while it leads, by channel. Others may add theirs before `start`."""
    rescue: Rescue = field(init=False)
    housekeeping: Housekeeping = field(init=False)
    _keeper: Gatekeeper = field(init=False)
    _feedback: Feedback = field(init=False)
    _spending: Spending = field(init=False)
    _admission: Admission = field(init=False)
    _outage: OutageLog = field(default_factory=lambda: OutageLog(log, "database_unavailable"))
    _wakeup: Wakeup = field(default_factory=Wakeup)
    _listener: Listener = field(init=False)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _leads: bool = False
    _lease: LeaderLease = field(init=False)
    _clock: ClockWatch = field(default_factory=ClockWatch)
    _pace: PaceState | None = None
    _pace_is_stale: bool = False
    """Whether the rows may be ahead of it: the outcome of a commit is unknown."""
    _flow: Flow = field(default_factory=Flow)
    _unsent: list[UUID] = field(default_factory=list)
    """Dispatched jobs without a message."""
    _is_quiet: bool = False
    """Whether the last complete tick found nothing to do."""
    _rests: bool = False
    _complete_at: float = 0.0
    """Monotonic time of the last complete tick."""

    def __post_init__(self) -> None:
        self.rescue = Rescue(self.limits.max_attempts)
        self._lease = LeaderLease(self.database, self.me, LEASE_SECONDS)
        self._begin_anew()
        self.on_arrival[notifications.CHANNEL] = self.arrived
        self._listener = Listener(self.database, self.on_arrival, lambda: self._leads)

    def _begin_anew(self) -> None:
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
        self._pace, self._flow = None, Flow()

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
        """Whether this dispatcher led at its last tick, and its lease can't have expired since.

        Other once-per-installation tasks follow it.
        """
        return self._leads and self._lease.is_valid

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
            was_woken = self._wakeup.forget()
            with stats.tick():
                tick = self._tick(self.run_once if was_woken else self.rest_or_run)
            if tick.leads != self._leads:
                self._leads = tick.leads
                log.info("leadership_changed", leads=tick.leads, **({} if tick.leads else stats.summary()))
            if not tick.leads:
                stats = LeadershipStats()
            rhythm = after_tick(rhythm, time.monotonic(), gather)
            self._wakeup.wait(self.max_wait(tick), change=gather, arrival=quick_delay(rhythm, gather))
        if self._leads:
            log.info("leadership_ended", **stats.summary())

    def _tick(self, run: Callable[[], Tick]) -> Tick:
        tick = Tick()
        try:
            tick = run()
            self._outage.recovered()
        except SQLAlchemyError as error:
            self._outage.failing(describe(error), remedy="retrying; run `ttsq doctor` for details")
        except Exception:
            # Without this thread no job starts: it must survive unexpected errors.
            log.exception("dispatcher_crashed")
        return tick

    def rest_or_run(self) -> Tick:
        """Where the last tick found no work and there still is none, only renew the lease: three statements."""
        if self._may_rest() and (now := self._kept_at_rest()) is not None:
            self._rests = True
            self._lease.committed()
            self.rescue.note_read(now)
            self._clock.note(now)
            return Tick(leads=True, now=now, at_rest=True)
        return self.run_once()

    def _may_rest(self) -> bool:
        """Not without notifications: work that others submit would start late."""
        return (
            self._is_quiet
            and time.monotonic() < self._complete_at + REST_SECONDS
            and self._listener.is_listening
            and not (self._unsent or self.is_cut_off() or self.me in self.odd() or self.database.is_pooled)
        )

    def _kept_at_rest(self) -> datetime | None:
        """Renew the lease. Returns the time; None if the lease is lost, the clock stepped back, or there is work."""
        with self.database.at_once() as connection:
            now = self._lease.keep(connection)
            if now is None or self._clock.stepped_back(now):
                return None
            return now if pending.is_at_rest(connection, now=now) else None

    def run_once(self) -> Tick:
        """Run one tick: renew the lease, do housekeeping, read results, probe gates, start jobs, publish."""
        self._is_quiet = False
        self._take_back_unsent()
        undo = self._checkpoint()
        try:
            with self.database.begin() as connection:
                self._clock.begin(connection, LEASE_SECONDS)
                now, leads = self._hold_lease(connection)
                # After the write: a database that is read-only has recorded no heartbeats either.
                self.rescue.note_read(now)
                started = self._lead(connection, now) if leads else None
        except BaseException:
            undo()
            raise
        self._clock.note(now)
        self.prober.confirm()
        if started is None:
            self._pace, self._flow = None, Flow()
            self._admission.forget()
            return Tick()
        self._lease.committed()
        # After the commit: a message must never be ahead of its row.
        self._rests, self._complete_at = False, time.monotonic()
        self._unsent = [job.job_id for job in self.publish(started.jobs)] if started.jobs else []
        self._take_back_unsent()
        return Tick(leads=True, busy=started.more, next_chance=pace.next_chance(started.paced, now), now=now)

    def _checkpoint(self) -> Callable[[], None]:
        """Return a function that undoes in memory what a failed tick did. Turns and ageing may keep it."""
        keeper, feedback, pace_before, flow = self._keeper, self._feedback, self._pace, self._flow
        parts = (keeper, feedback, feedback.balance, self._spending, self._admission.reserve, self.housekeeping)
        restore = checkpoint(*parts, self.rescue)

        def undo() -> None:
            restore()
            if self._keeper is not keeper:  # the tick noticed a step of the clock
                self._begin_anew()
                return
            self._admission.single_flight.forget()
            self._admission.take_holds.forget()
            # Its row may be ahead: the commit may have reached the database all the same.
            self._pace, self._flow, self._pace_is_stale = pace_before, flow, True

        return undo

    def _hold_lease(self, connection: Connection) -> tuple[datetime, bool]:
        if (self.is_cut_off() or self.me in self.odd()) and self._yields_lead(
            connection, now := self.database.now(connection)
        ):
            return now, False
        return self._lease.hold(connection, leads=self._leads)

    def _lead(self, connection: Connection, now: datetime) -> Started:
        self._follow_clock(connection, now)
        started = self._start_jobs(connection, now)
        self._lease.renew_if_slow(connection)
        return started

    def _follow_clock(self, connection: Connection, now: datetime) -> None:
        """After the clock has stepped back, move what was computed from it back as well, and forget the rest."""
        seconds = self._clock.stepped_back(now)
        if not seconds:
            return
        log.warning("clock_stepped_back", seconds=round(seconds, 1), remedy="keep the database's host in sync (NTP)")
        clock_steps.move_back(connection, seconds, now=now)
        account.save_pace(connection, pace.earlier(account.load_pace(connection), seconds))
        self._begin_anew()
        self.rescue.regain(now)

    def _take_back_unsent(self) -> None:
        """Queue jobs again whose messages were not sent. If that fails, the next tick repeats it."""
        if self._unsent:
            with self.database.begin() as connection:
                dispatches.take_back(connection, self._unsent)
            self._unsent = []

    def _load_pace(self, connection: Connection, now: datetime) -> PaceState:
        known = self._pace
        if known is not None and not self._pace_is_stale:
            return known
        stored = account.load_pace(connection)
        return replace(stored, recent=known and known.recent, ticked_at=known.ticked_at if known else now)

    def _start_jobs(self, connection: Connection, now: datetime) -> Started:
        self._admission.single_flight.load(connection)
        self.housekeeping.run_once(connection, now)
        # Before reading results: a slot freed by a failure must not be filled as if it had succeeded.
        idle = self._stopping.is_set() or self.is_cut_off()
        room = Room() if idle else capacity.room(connection, self.scope, now)
        pace_before = self._load_pace(connection, now)
        if self._rests:  # the time since the last tick was no delay that must be made up for
            pace_before = replace(pace_before, ticked_at=now)
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
        self._is_quiet = not (idle or room.in_use or finished or closed or started.jobs or started.more)
        if started.paced != pace_before:
            account.save_pace(connection, started.paced)
        self._pace, self._pace_is_stale = replace(started.paced, ticked_at=now), False
        return started

    def _places(self, room: Room, paced: PaceState) -> int:
        """Return the free slots plus those that will be free before a message sent now is claimed.

        With a rate limit the extra slots bring nothing: jobs wait for the pace, which counts starts as they are
        published.
        """
        limited = paced.rpm is not None or pace.found_rate(paced) is not None
        return room.free if limited else room.free + capacity.ahead(self._flow, room.total)

    def _yields_lead(self, connection: Connection, now: datetime) -> bool:
        """Release the lease if this dispatcher can reach no worker, or is odd, and others could lead. Returns whether
        it did.
        """
        unfit = {self.me, *self.odd()}
        if all(member.id in unfit for member in capacity.fit(connection, self.scope, now)):
            return False
        workers.release_leases(connection, self.me)
        return True
