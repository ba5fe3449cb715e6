"""The composition root: builds everything one worker process shares from its settings."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from uuid_utils.compat import uuid7

from worker.concurrency.background import BackgroundPool
from worker.concurrency.reactor import Reactor
from worker.concurrency.stop_event import StopEvent
from worker.dispatch.config import DispatchLimits, WorkerScope
from worker.dispatch.dispatcher import Dispatcher
from worker.dispatch.gates.probes import Prober
from worker.environment.service_manager import SOCKET, ServiceManager
from worker.execution.content_origin import ContentOrigin
from worker.execution.context import AttemptContext
from worker.execution.destinations import Destinations
from worker.execution.executor import Executor
from worker.execution.heartbeat import Heartbeat
from worker.execution.restore_sign import REMEDY, RestoreSign
from worker.execution.settlements import AttemptLimits
from worker.execution.spool import Spool
from worker.execution.spool_sweeper import SpoolSweeper
from worker.execution.thread_pools import MAX_HELPERS, Pools
from worker.maintenance import (
    activity,
    dead_workers,
    document_keeper,
    inbox,
    operations,
    pending_watch,
    purger,
    rate_learner,
    scaling,
)
from worker.maintenance.activity import ActivitySummary
from worker.maintenance.document_keeper import DocumentKeeper
from worker.maintenance.inbox import Inbox
from worker.maintenance.leader_task import LeaderTask
from worker.maintenance.operations import OperationRunner
from worker.maintenance.pending_watch import PendingWatch
from worker.maintenance.purger import Purger
from worker.maintenance.rate_learner import RateLearner
from worker.maintenance.scaling import ScalingReport
from worker.process import dropped_messages
from worker.process.broker_status import BrokerStatus
from worker.process.dropped_messages import DroppedMessages, Refusal, RefusalWriter
from worker.process.factories import (
    check_store,
    open_aligner,
    open_client,
    open_destinations,
    open_heartbeat_database,
    open_listener,
    open_spool,
    require_descriptors,
    require_schema,
    start_tracing,
    take_limits,
)
from worker.process.figures import ALIVE_SECONDS, WorkerFigures
from worker.process.gate_checks import GateChecks
from worker.process.identity import identity
from worker.process.liveness import Liveness
from worker.process.peers import Peers
from worker.process.shared_queue import SHARED_QUEUE, SharedQueue, own_queue
from worker.results import finisher, watcher
from worker.results.finisher import Finisher
from worker.results.watcher import FinishedBatchWatcher
from worker.schedules import runner, scheduler
from worker.schedules.runner import ScheduleRunner
from worker.schedules.scheduler import Scheduler
from worker.segmind.client import Client
from worker.settings import Settings, variable
from worker.store import notifications, workers
from worker.store.database import Database
from worker.store.errors import describe
from worker.store.outbox.deliveries import Due
from worker.store.schedules import RunKey
from worker.store.transitions import dispatches
from worker.store.transitions.dispatches import Waiting
from worker.telemetry import tracing
from worker.webhooks import delivery, relay
from worker.webhooks.addresses import Allowed
from worker.webhooks.delivery import Deliverer
from worker.webhooks.relay import OutboxRelay
from worker.webhooks.sender import Sender

if TYPE_CHECKING:
    from worker.process.endpoint import WorkerEndpoint

DISPATCHER: Final = "dispatcher"
"""Name of its thread, for the liveness check."""

log = structlog.get_logger("ttsq.worker")
T = TypeVar("T")


class Messages(Protocol):
    """Publishes one message per item. Returned items could not be sent."""

    def jobs(self, jobs: Sequence[Waiting]) -> Sequence[Waiting]: ...

    def deliveries(self, due: Sequence[Due]) -> Sequence[Due]: ...

    def batches(self, batches: Sequence[UUID]) -> None: ...

    def runs(self, runs: Sequence[RunKey]) -> None: ...


@dataclass(slots=True)
class Runtime:
    settings: Settings
    database: Database
    worker_id: UUID
    queue: str
    client: Client
    destinations: Destinations
    spool: Spool
    heartbeat: Heartbeat
    executor: Executor
    sweeper: SpoolSweeper
    dispatcher: Dispatcher
    broker: BrokerStatus
    leader_tasks: Sequence[LeaderTask]
    finisher: Finisher
    deliveries: BackgroundPool[Due]
    batches: BackgroundPool[UUID]
    schedule_runs: BackgroundPool[RunKey]
    restore_sign: RestoreSign
    shared_queue: SharedQueue
    liveness: Liveness
    dropped: DroppedMessages
    refusals: BackgroundPool[Refusal]
    installation: str | None
    """None without a broker."""
    endpoint: WorkerEndpoint | None = None

    def start(self) -> None:
        if self.restore_sign.is_behind():
            log.warning("database_is_behind", remedy=REMEDY)
        self.sweeper.run_once()
        if self.settings.embedded:
            dead_workers.retire_dead_workers(self.database)
        self.heartbeat.start()
        self.dispatcher.start()
        for task in self.leader_tasks:
            task.start()
        if self.endpoint is not None:
            self.endpoint.start()
        log.info(
            "worker_started",
            worker=str(self.worker_id),
            slots=self.heartbeat.slots,
            queue=self.queue,
            api=self.settings.segmind_base_url,
        )

    def begin_stop(self) -> None:
        """Stop dispatching and claiming. Calls in flight continue."""
        self.executor.context.stopping.set()
        self.heartbeat.announce_stop()
        self.dispatcher.stop()
        for task in self.leader_tasks:
            task.stop()
        self._try(
            "lease_release_failed", self._release_leases
        )  # so that the next leader needn't wait for the lease to expire

    def wait_until_idle(self, seconds: float) -> bool:
        """Return False if attempts are still running after `seconds`."""
        return self.executor.wait_until_idle(seconds)

    def finish_stop(self) -> None:
        """Release unfinished attempts, sign off if none remain, and close connections."""
        idle = self.executor.wait_until_idle(0)
        for pool in (self.deliveries, self.batches, self.schedule_runs, self.refusals):
            pool.close()
        self._sign_off()
        self._close_endpoint()
        self.heartbeat.database.close()
        if idle:
            self.client.close()
            self.spool.close()
        tracing.stop()

    def dismiss(self) -> None:
        """Stop the threads, in a process that continues to run."""
        if self.executor.wait_until_idle(0):
            self.executor.pools.close()
            self.executor.context.aligner.close()

    def abort(self) -> None:
        """Stop at once: release every attempt and sign off; the process is about to exit."""
        self.executor.context.stopping.set()
        self.dispatcher.stop(timeout=0)
        for task in self.leader_tasks:
            task.stop(timeout=0)
        self._sign_off()
        self._try("lease_release_failed", self._release_leases)

    def _sign_off(self) -> None:
        """Sign off only if no attempt remains; otherwise the stale row gets its jobs rescued."""
        unfinished = self._try("release_failed", self.executor.give_up)
        if self.dispatcher.scope.only_worker is not None:
            self._try("release_failed", self._take_back_messages)
        self._try("sign_off_failed", lambda: self.heartbeat.stop(sign_off=unfinished == 0))
        log.info("worker_stopped", worker=str(self.worker_id), unfinished=unfinished)

    def _close_endpoint(self) -> None:
        if self.endpoint is not None:
            self.endpoint.stop()

    def _take_back_messages(self) -> None:
        with self.database.begin() as connection:
            dispatches.take_back_all(connection, worker_id=self.worker_id)

    def _release_leases(self) -> None:
        with self.database.begin() as connection:
            workers.release_leases(connection, self.worker_id)

    @staticmethod
    def _try(event: str, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except SQLAlchemyError as error:
            log.warning(event, error=describe(error))
            return None


def build(
    settings: Settings,
    database: Database,
    messages: Messages,
    *,
    broker: BrokerStatus,
    worker_id: UUID | None = None,
    origin: str | None = None,
    installation: str | None = None,
) -> Runtime:
    """Build a worker and check that it could work. `origin` replaces the API's address in a rehearsal; `installation`
    is the database's id, where the broker is shared. Raises StartError: the key, the spool, the schema, the store or
    the tracing is unusable.
    """
    worker_id = worker_id or uuid7()
    start_tracing(settings)
    require_descriptors(settings.concurrency)
    require_schema(database)
    reactor = Reactor()
    stopping = StopEvent(reactor)
    client = open_client(settings, stopping)
    spool = open_spool(settings, worker_id)
    destinations = open_destinations(
        settings, database, connections=max(MAX_HELPERS, min(settings.concurrency, 100)), reactor=reactor
    )
    check_store(destinations)
    shared_queue, liveness = SharedQueue(database), Liveness()
    scope = (
        WorkerScope(private_queue(worker_id), only_worker=worker_id)
        if installation is None
        else WorkerScope(own_queue(installation), early_queue=shared_queue.for_early_workers)
    )
    refusals: BackgroundPool[Refusal] = BackgroundPool(
        "refusals", RefusalWriter(database).write, threads=1, close_seconds=dropped_messages.CLOSE_SECONDS
    )
    dropped = DroppedMessages(refusals.add)
    vital = open_heartbeat_database(database, settings)
    peers = Peers(vital, worker_id)
    heartbeat = Heartbeat(
        database=vital,
        worker_id=worker_id,
        host=socket.gethostname(),
        pid=os.getpid(),
        queue=scope.queue,
        slots=settings.concurrency,
        problem=lambda: liveness.problem() or spool.problem() or broker.problem(),
        stalled=liveness.problem,
        dropped_messages=lambda: dropped.total,
        alive_file=settings.alive_file,
        service_manager=ServiceManager(variable(SOCKET)),
        look_around=peers.run_once,
        identity=identity(settings),
    )
    dispatcher = Dispatcher(
        database=vital,
        me=worker_id,
        scope=scope,
        limits=_limits(settings),
        publish=messages.jobs,
        prober=Prober(GateChecks(client, destinations)),
    )
    executor = Executor(
        AttemptContext(
            database=database,
            client=client,
            destinations=destinations,
            spool=spool,
            heartbeat=heartbeat,
            attempt_limits=AttemptLimits(settings.max_attempts, settings.max_takes),
            limits=take_limits(settings),
            probe_seconds=settings.probe_seconds,
            stopping=stopping,
            pools=Pools.start(reactor, slots=settings.concurrency),
            origin=ContentOrigin(origin or settings.segmind_base_url, shared=settings.shares_content),
            aligner=open_aligner(settings, listener := open_listener(settings, database)),
            listener=listener,
            provenance=settings.provenance == "on",
        ),
        slots=settings.concurrency,
        finished=dispatcher.wake,
    )
    sweeper = SpoolSweeper(database, spool, executor.in_hand)
    restore_sign = RestoreSign(database, spool.shared)

    def figures() -> WorkerFigures:
        return WorkerFigures(
            slots=heartbeat.slots,
            attempts=executor.under_way(),
            heartbeat_age=heartbeat.age,
            leads=dispatcher.leads,
            problem=heartbeat.current_problem,
            is_alive=heartbeat.clock() - heartbeat.alive_at < ALIVE_SECONDS,
            dropped_messages=dropped.total,
        )

    def check_periodically() -> None:
        executor.release_orphans()
        sweeper.run_once()
        restore_sign.note(worker_id, now=heartbeat.now())
        if installation is not None:
            shared_queue.look()

    heartbeat.periodic_check = check_periodically

    def is_cut_off() -> bool:
        liveness.stamp(DISPATCHER)
        return not broker.can_send()

    heartbeat.before_beat = liveness.ask
    broker.changed = heartbeat.nudge
    dispatcher.odd = lambda: set(peers.odd)
    dispatcher.is_cut_off = is_cut_off
    liveness.watch(DISPATCHER, is_excused=lambda: heartbeat.stopping or not heartbeat.is_fresh())
    liveness.watch("attempts", run=executor.pools.attempts.add)
    liveness.watch("reactor", run=lambda stamp: reactor.call_later(0, stamp))

    batch_finisher = Finisher(database, destinations)
    return Runtime(
        settings=settings,
        database=database,
        worker_id=worker_id,
        queue=scope.queue,
        client=client,
        destinations=destinations,
        spool=spool,
        heartbeat=heartbeat,
        executor=executor,
        sweeper=sweeper,
        dispatcher=dispatcher,
        broker=broker,
        leader_tasks=(
            *_leader_tasks(database, destinations, messages, settings, dispatcher),
            *_scaling_tasks(database, leads=lambda: dispatcher.leads),
            *_listening_tasks(database, settings, leads=lambda: dispatcher.leads),
        ),
        finisher=batch_finisher,
        deliveries=_delivery_pool(database, settings),
        batches=BackgroundPool("results", batch_finisher.finish, threads=1, close_seconds=finisher.CLOSE_SECONDS),
        schedule_runs=_schedule_pool(database, settings),
        restore_sign=restore_sign,
        shared_queue=shared_queue,
        liveness=liveness,
        dropped=dropped,
        refusals=refusals,
        installation=installation,
        endpoint=_endpoint(settings, figures),
    )


def _endpoint(settings: Settings, figures: Callable[[], WorkerFigures]) -> WorkerEndpoint | None:
    if settings.worker_metrics_address is None:
        return None
    from worker.process.endpoint import WorkerEndpoint  # noqa: PLC0415 - an HTTP server that few workers need

    host, _, port = settings.worker_metrics_address.rpartition(":")
    return WorkerEndpoint(host.strip("[]"), int(port), figures)


def _delivery_pool(database: Database, settings: Settings) -> BackgroundPool[Due]:
    sender = Sender(Allowed.parse(settings.webhook_allow.split(",")))
    deliverer = Deliverer(database, sender, public_base=settings.gateway_base)
    return BackgroundPool("deliver", deliverer.run, threads=delivery.THREADS, close_seconds=delivery.CLOSE_SECONDS)


def _schedule_pool(database: Database, settings: Settings) -> BackgroundPool[RunKey]:
    schedule_runner = ScheduleRunner(database, settings.segmind_base_url, settings.max_text_bytes, variable)
    return BackgroundPool("schedules", schedule_runner.run_message, threads=1, close_seconds=runner.CLOSE_SECONDS)


def _limits(settings: Settings) -> DispatchLimits:
    return DispatchLimits(
        rpm=settings.segmind_rpm,
        dispatch_timeout=settings.dispatch_timeout,
        probe_seconds=settings.probe_seconds,
        max_attempts=settings.max_attempts,
        low_balance=settings.low_balance,
        reserved_share=settings.reserved_share,
        ageing_seconds=settings.ageing_seconds,
        hold_after_refused=settings.hold_after_refused,
    )


def _leader_tasks(
    database: Database, destinations: Destinations, messages: Messages, settings: Settings, dispatcher: Dispatcher
) -> Sequence[LeaderTask]:
    """Build what runs where the dispatcher leads, and let its notifications wake it."""
    watch = PendingWatch(database)

    def task(name: str, poll_seconds: float, run_once: Callable[[], bool], **more: Any) -> LeaderTask:  # noqa: ANN401 - fields of LeaderTask
        return LeaderTask(name, poll_seconds, run_once, lambda: dispatcher.leads, **more)

    looking = task("pending-watch", pending_watch.poll_seconds(database), watch.run_once, on_follower=watch.on_follower)
    batches = FinishedBatchWatcher(database, messages.batches)
    outbox = task(
        "outbox-relay",
        relay.POLL_SECONDS,
        OutboxRelay(database, messages.deliveries).run_once,
        is_pending=lambda: watch.found.outbox,
    )
    reader = Inbox(database, settings, on_jobs=dispatcher.arrived)
    rows = task("inbox", inbox.POLL_SECONDS, reader.run_once, burst_seconds=0, is_pending=lambda: watch.found.inbox)
    removals = task(
        "purger",
        purger.POLL_SECONDS,
        Purger(database, destinations).run_once,
        is_pending=lambda: watch.found.removals,
    )
    watch.tasks = (
        outbox,
        rows,
        removals,
        task(
            "finished-batch-watcher",
            watcher.POLL_SECONDS,
            batches.run_once,
            on_follower=batches.on_follower,
            is_pending=lambda: watch.found.batches,
        ),
        task(
            "scheduler",
            scheduler.POLL_SECONDS,
            Scheduler(database, messages.runs).run_once,
            is_pending=lambda: watch.found.schedules,
        ),
        task(
            "document-keeper",
            document_keeper.POLL_SECONDS,
            DocumentKeeper(database).run_once,
            is_pending=lambda: watch.found.documents,
        ),
        task(
            "operations",
            operations.POLL_SECONDS,
            OperationRunner(database, removals.wake).run_once,
            is_pending=lambda: watch.found.operations,
        ),
    )

    def on_jobs() -> None:
        dispatcher.arrived()
        looking.wake()

    dispatcher.on_arrival |= {
        notifications.CHANNEL: on_jobs,
        notifications.EVENTS: outbox.wake,
        notifications.INBOX: rows.wake,
    }
    activity_task = task("activity", activity.POLL_SECONDS, ActivitySummary(database).run_once)
    return (*watch.tasks, activity_task, looking)


def _scaling_tasks(database: Database, leads: Callable[[], bool]) -> Sequence[LeaderTask]:
    """Only PostgreSQL has the view that autoscalers read."""
    report = ScalingReport(database)
    return () if database.is_sqlite else (LeaderTask("scaling", scaling.POLL_SECONDS, report.run_once, leads),)


def _listening_tasks(database: Database, settings: Settings, *, leads: Callable[[], bool]) -> tuple[LeaderTask, ...]:
    if not settings.take_rungs:
        return ()
    return (LeaderTask("rate-learner", rate_learner.POLL_SECONDS, RateLearner(database).run_once, leads),)


def private_queue(worker_id: UUID) -> str:
    """The queue of a worker without a broker."""
    return f"{SHARED_QUEUE}-{worker_id}"
