"""The dispatcher: a thread in every worker process, of which one leads. A tick of it is `run_once`.

Its weakness: everything that starts passes through one process and one database row. Another one takes over within
seconds, but two never share the load.
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
from worker.dispatch.starter import Admission
from worker.dispatch.tick import EMBEDDED_GATHER_SECONDS, GATHER_SECONDS, LeadershipStats, Tick, wait_seconds
from worker.dispatch.wakeup import Rhythm, Wakeup, after_tick, soonest
from worker.store import account, workers
from worker.store.account import PaceState
from worker.store.database import Database
from worker.store.errors import describe
from worker.store.transitions import dispatches
from worker.telemetry.outage_log import OutageLog

LEASE_SECONDS: Final = 4.0
"""A dead leader is replaced within this time and one follower's poll: under five seconds."""

log = structlog.get_logger("ttsq.dispatch")


@dataclass(slots=True)
class Dispatcher:
    """Leads, or waits to. `start` and `stop` drive the thread; `run_once` is one tick, for the thread and for tests."""

    database: Database
    me: UUID
    reach: WorkerScope
    limits: DispatchLimits
    publish: Publish
    prober: Prober
    rng: random.Random = field(default_factory=random.Random)
    hindered: Callable[[], bool] = lambda: False
    """Whether no message can be sent from here just now."""
    longest_wait: Callable[[Tick], float] = wait_seconds
    """From a tick to the next one, in seconds, where nothing cuts it short."""
    rescue: Rescue = field(init=False)
    chores: Housekeeping = field(init=False)
    _keeper: Gatekeeper = field(init=False)
    _lessons: Feedback = field(init=False)
    _spending: Spending = field(init=False)
    _starting: Admission = field(init=False)
    _database_trouble: OutageLog = field(default_factory=lambda: OutageLog(log, "database_trouble"))
    _alarm: Wakeup = field(default_factory=Wakeup)
    _listener: Listener = field(init=False)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _leads: bool = False
    _pace: PaceState | None = None
    _flow: Flow = field(default_factory=Flow)

    def __post_init__(self) -> None:
        self.rescue = Rescue(self.limits.max_attempts)
        self.chores = Housekeeping(self.limits.dispatch_timeout, self.rescue)
        self._keeper = Gatekeeper(self.prober, self.limits.probe_seconds)
        self._lessons = Feedback(self._keeper, BalanceWatch(self.limits.low_balance), self.rng)
        self._spending = Spending()
        self._starting = Admission(
            self.reach,
            self._keeper,
            self._spending,
            Reserve(self.limits.reserved_share),
            Ageing(self.limits.ageing_seconds),
            TakeHolds(self.limits.hold_after_refused),
        )

        self._listener = Listener(self.database, self.arrived, lambda: self._leads)

    def start(self) -> None:
        """Begin ticking in a thread of its own, and listen in another."""
        self._thread = threading.Thread(target=self._loop, name="ttsq-dispatcher", daemon=True)
        self._thread.start()
        self._listener.start()

    def wake(self) -> None:
        """Something has changed: look soon rather than at the next poll. A follower has nothing to look at."""
        if self._leads:
            self._alarm.change()

    def arrived(self) -> None:
        """Somebody has handed in: look at once, where not too many looks were just taken."""
        if self._leads:
            self._alarm.arrive()

    @property
    def leads(self) -> bool:
        """Whether this one led at its last tick: other duties that one process should have go by it."""
        return self._leads

    def stop(self, timeout: float = 10.0) -> None:
        """Stop admitting at once, and hand the lead to whoever is next."""
        self._stopping.set()
        self._alarm.stop()
        if self._thread is not None:
            self._thread.join(timeout)
        self._listener.stop(timeout)

    def _loop(self) -> None:
        gather = EMBEDDED_GATHER_SECONDS if self.database.is_sqlite else GATHER_SECONDS
        rhythm, stats = Rhythm(), LeadershipStats()
        while not self._stopping.is_set():
            self._alarm.forget()
            with stats.tick():
                tick = self._tick()
            if tick.leads != self._leads:
                self._leads = tick.leads
                log.info("leadership", leads=tick.leads, **({} if tick.leads else stats.summary()))
            if not tick.leads:
                stats = LeadershipStats()
            rhythm = after_tick(rhythm, time.monotonic(), gather)
            self._alarm.wait(self.longest_wait(tick), change=gather, arrival=soonest(rhythm, gather))
        if self._leads:
            log.info("led", **stats.summary())

    def _tick(self) -> Tick:
        tick = Tick()
        try:
            tick = self.run_once()
            self._database_trouble.recovered()
        except SQLAlchemyError as error:
            self._database_trouble.failing(describe(error), remedy="it is tried again; see `ttsq doctor`")
        except Exception:
            # Without this thread nothing starts any more, and nobody would know: it must outlive any surprise.
            log.exception("dispatcher_surprised")
        return tick

    def run_once(self) -> Tick:
        """One tick: lead or don't; chores; see what is free; read what ended; probe gates; start jobs; publish."""
        with self.database.begin() as connection:
            now = self.database.now(connection)
            leads = not self._stands_aside(connection, now) and workers.hold(
                connection, workers.DISPATCHER, self.me, seconds=LEASE_SECONDS, now=now
            )
            # Only now: a database that can be read and not written has taken no heartbeat either.
            self.rescue.note_look(now)
            if not leads:
                self._pace, self._flow = None, Flow()
                self._starting.forget()
                return Tick()
            self._starting.twins.look(connection)
            self.chores.run_once(connection, now)
            # Before the news: a slot that is free because of bad news must not be filled as if there were none.
            idle = self._stopping.is_set() or self.hindered()
            room = Room() if idle else capacity.room(connection, self.reach, now)
            pace_before = self._pace or account.load_pace(connection)
            paced = pace.over_time(pace.with_ceiling(pace_before, self.limits.rpm), now)
            closed = self._keeper.look(connection, now)
            paced, closed, news = self._lessons.apply(connection, paced, closed, now)
            self._flow = capacity.after(self._flow, ended=len(news), now=now)
            self._spending.learn(news)
            self._starting.take_holds.learn(connection, news, now)
            self._starting.twins.release(connection, news)
            closed = self._keeper.check(connection, closed, now)
            started = self._starting.start(
                connection, paced, closed, now, free=self._places(room, paced), slots=room.total
            )
            if started.paced != pace_before:
                account.save_pace(connection, started.paced)
            self._pace = started.paced
        # Published only now that the rows are committed: a message must never be ahead of its row.
        unsent = self.publish(started.jobs) if started.jobs else []
        if unsent:
            with self.database.begin() as connection:
                dispatches.take_back(connection, [job.job_id for job in unsent])
        return Tick(leads=True, busy=started.more, next_chance=pace.next_chance(started.paced, now), now=now)

    def _places(self, room: Room, paced: PaceState) -> int:
        """Free slots, and those that will be free before a message sent now is claimed.

        Under a ceiling there is nothing to gain by it: jobs wait for the pace, and it counts starts as it sends.
        """
        limited = paced.rpm is not None or pace.found_rate(paced) is not None
        return room.free if limited else room.free + capacity.ahead(self._flow, room.total)

    def _stands_aside(self, connection: Connection, now: datetime) -> bool:
        """Whether somebody else can lead better: this one could wake nobody. Its lease goes to them at once."""
        if not self.hindered() or all(member.id == self.me for member in capacity.fit(connection, self.reach, now)):
            return False
        workers.release_leases(connection, self.me)
        return True
