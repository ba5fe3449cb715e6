"""The queue that early versions had: who reads it, and who is sent to by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from kombu import Connection, Consumer, Queue
from kombu.transport import TRANSPORT_ALIASES
from uuid_utils.compat import uuid7

from tests.servers.valkey import Valkey
from worker.broker.reading import LOOK_SECONDS, read_shared_queue
from worker.dispatch import capacity
from worker.dispatch.config import WorkerScope
from worker.process.shared_queue import OWNER_KEY, SHARED_QUEUE, SharedQueue, own_queue
from worker.store import workers
from worker.store.database import Database
from worker.store.installation import identify, known

pytestmark = pytest.mark.servers
OWN = "ttsq-0123456789ab"


@dataclass
class Reader:
    """Celery's consumer, as far as it is asked."""

    connection: Connection
    task_consumer: Consumer
    looks: list[Callable[[], object]] = field(default_factory=list)

    @property
    def timer(self) -> Reader:
        return self

    def call_repeatedly(self, seconds: float, call: Callable[[], object]) -> None:
        assert seconds == LOOK_SECONDS
        self.looks.append(call)

    def add_task_queue(self, name: str) -> None:
        self.task_consumer.add_queue(Queue(name))
        self.task_consumer.consume()

    def cancel_task_queue(self, name: str) -> None:
        self.task_consumer.cancel_by_queue(name)

    def reads(self) -> bool:
        return self.task_consumer.consuming_from(SHARED_QUEUE)


@pytest.fixture
def reader(redis_url: str) -> Iterator[Callable[[], Reader]]:
    """Makes consumers on one Redis."""
    TRANSPORT_ALIASES.update(redis="worker.broker.redis_transport:Transport")
    with Connection(redis_url, transport_options={"ack_emulation": False}) as connection:
        channel: Any = connection.default_channel
        channel.client.delete(OWNER_KEY)
        yield lambda: Reader(connection, Consumer(connection.channel(), queues=[Queue(OWN)]))


def test_the_first_installation_reads_it_and_keeps_it(
    reader: Callable[[], Reader], database: Database, valkey: Valkey
) -> None:
    """Also after Redis forgot whose it is. An operator may give it to the other one."""
    first, second = reader(), reader()
    mine, theirs = SharedQueue(database), SharedQueue(database)
    read_shared_queue(first, mine, "one")
    read_shared_queue(second, theirs, "two")
    assert (first.reads(), second.reads()) == (True, False)
    assert (mine.is_ours, theirs.is_ours) == (True, False)

    with valkey.client() as client:
        client.delete(OWNER_KEY)
        second.looks[0]()
        assert client.get(OWNER_KEY) is None
        first.looks[0]()
        assert client.get(OWNER_KEY) == "one"
        client.set(OWNER_KEY, "two")
    first.looks[0]()
    second.looks[0]()
    assert (first.reads(), second.reads()) == (False, True)


def test_a_key_of_another_application_is_left_alone(
    reader: Callable[[], Reader], database: Database, valkey: Valkey
) -> None:
    """Waiting for it would be an error, and no message of our own would come."""
    first, mine = reader(), SharedQueue(database)
    with valkey.client() as client:
        client.set(SHARED_QUEUE, "theirs")
        read_shared_queue(first, mine, "one")
        assert (first.reads(), mine.is_ours) == (False, False)
        client.delete(SHARED_QUEUE)
    first.looks[0]()
    assert (first.reads(), mine.is_ours) == (True, True)


def test_workers_of_early_versions_are_reached_while_they_live(database: Database) -> None:
    """They read the shared queue only: it is used while one of them beats, and their slots count."""
    shared = SharedQueue(database, is_ours=True)
    scope = WorkerScope(OWN, early_queue=shared.for_early_workers)
    early, new = uuid7(), uuid7()
    with database.begin() as connection:
        now = database.now(connection)
        for worker, queue in ((early, SHARED_QUEUE), (new, OWN)):
            workers.register(connection, worker_id=worker, host="h", pid=1, queue=queue, slots=4, now=now)
    shared.look()
    with database.read() as connection:
        found = {member.id for member in capacity.fit(connection, scope, now)}
    assert (found, shared.for_early_workers()) == ({early, new}, SHARED_QUEUE)

    with database.begin() as connection:
        workers.sign_off(connection, early, now=now)
    shared.look()
    with database.read() as connection:
        found = {member.id for member in capacity.fit(connection, scope, now)}
    assert (found, shared.for_early_workers()) == ({new}, None)


def test_an_installation_keeps_its_id(database: Database) -> None:
    """One for each database; a database whose rows were removed gets a new one."""
    found = identify(database)
    assert identify(database) == found
    assert len(found) == 32
    assert own_queue(found) == f"ttsq-{found[:12]}"
    with database.read() as connection:
        assert known(connection) == found
