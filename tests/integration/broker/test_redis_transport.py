"""The transport between dispatcher and workers, over a real server: how many messages are taken, and in what order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kombu import Connection, Consumer, Message, Producer, Queue
from kombu.transport import TRANSPORT_ALIASES

from worker.broker import redis_transport

QUEUE = Queue("drained", durable=True)

pytestmark = pytest.mark.servers


@contextmanager
def connected(redis_url: str, **options: object) -> Iterator[Connection]:
    """A connection as the application makes it."""
    TRANSPORT_ALIASES.update(redis="worker.broker.redis_transport:Transport")
    with Connection(redis_url, transport_options={"ack_emulation": False, **options}) as connection:
        yield connection


def publish(connection: Connection, count: int) -> None:
    """Numbered messages, the first of them first."""
    producer: Any = Producer(connection)
    with producer.batch():
        for number in range(count):
            producer.publish(number, routing_key=QUEUE.name, exchange="", serializer="json")


def waiting(connection: Connection) -> int:
    """Messages still in the queue."""
    channel: Any = connection.default_channel
    return int(channel.client.llen(QUEUE.name))


def test_one_read_takes_as_many_as_the_prefetch_count_permits(redis_url: str) -> None:
    """Ten of thirty at once, in their order; the rest stays for other workers."""
    taken: list[Message] = []
    with connected(redis_url) as connection:
        publish(connection, 30)
        consumer = Consumer(connection, queues=[QUEUE], on_message=taken.append)
        consumer.qos(prefetch_count=10)
        with consumer:
            connection.drain_events(timeout=5)
            assert [message.payload for message in taken] == list(range(10))
            assert waiting(connection) == 20


def test_room_that_was_freed_is_filled_by_the_next_read(redis_url: str) -> None:
    """An acknowledged message makes place for one more, and no message comes twice."""
    taken: list[Message] = []
    with connected(redis_url) as connection:
        publish(connection, 12)
        consumer = Consumer(connection, queues=[QUEUE], on_message=taken.append)
        consumer.qos(prefetch_count=5)
        with consumer:
            connection.drain_events(timeout=5)
            for message in taken[:3]:
                message.ack()
            connection.drain_events(timeout=5)
            assert [message.payload for message in taken] == list(range(8))
            assert waiting(connection) == 4


def test_a_lonely_message_is_taken_alone(redis_url: str) -> None:
    """Nothing else waits, and nothing else is asked of the consumer."""
    taken: list[Message] = []
    with connected(redis_url) as connection:
        publish(connection, 1)
        consumer = Consumer(connection, queues=[QUEUE], on_message=taken.append)
        consumer.qos(prefetch_count=10)
        with consumer:
            connection.drain_events(timeout=5)
        assert [message.payload for message in taken] == [0]


def test_every_answer_calls_the_listener(redis_url: str) -> None:
    """The listener is called for an empty reply and for a message: both prove that the broker answers."""
    told: list[str] = []
    with connected(redis_url, heard=lambda: told.append("heard")) as connection:
        consumer = Consumer(connection, queues=[QUEUE], on_message=lambda _message: told.append("taken"))
        consumer.qos(prefetch_count=10)
        with consumer:
            with pytest.raises(TimeoutError):
                connection.drain_events(timeout=2)
            assert set(told) == {"heard"}
            told.clear()
            publish(connection, 1)
            connection.drain_events(timeout=5)
    assert {"heard", "taken"} <= set(told)


def test_closing_hands_nothing_back(redis_url: str) -> None:
    """A worker that leaves drops its messages, because the rows are authoritative: none is published again."""
    with connected(redis_url) as connection:
        publish(connection, 3)
        consumer = Consumer(connection, queues=[QUEUE], on_message=lambda _message: None)
        consumer.qos(prefetch_count=10)
        with consumer:
            connection.drain_events(timeout=5)
    with connected(redis_url) as connection:
        assert waiting(connection) == 0
    assert not redis_transport.Channel.do_restore


def test_a_message_whose_handling_fails_takes_no_room(redis_url: str) -> None:
    """The loop continues with the next one, and the failed one is reported: nothing will acknowledge it."""
    taken: list[int] = []
    crashed: list[str] = []

    def handle(message: Message) -> None:
        taken.append(message.payload)
        if message.payload % 2:
            raise RuntimeError(message.payload)

    def note(_message: dict[str, Any], queue: str) -> None:
        crashed.append(queue)

    with connected(redis_url, crashed=note) as connection:
        publish(connection, 8)
        consumer = Consumer(connection, queues=[QUEUE], on_message=handle)
        consumer.qos(prefetch_count=4)
        with consumer:
            connection.drain_events(timeout=5)
            connection.drain_events(timeout=5)
    assert taken == list(range(8)[: len(taken)])
    assert len(taken) >= 6
    assert crashed == [QUEUE.name] * (len(taken) // 2)


def test_an_entry_that_is_not_read_is_gone(redis_url: str) -> None:
    """The others are delivered, and the queue is empty."""
    taken: list[Message] = []

    def read(raw: bytes, _queue: str) -> dict[str, Any] | None:
        return json.loads(raw) if raw.startswith(b"{") else None

    with connected(redis_url, read=read) as connection:
        channel: Any = connection.default_channel
        for entry in (b"5", b"null", b"\xff"):
            channel.client.lpush(QUEUE.name, entry)
        publish(connection, 1)
        consumer = Consumer(connection, queues=[QUEUE], on_message=taken.append)
        consumer.qos(prefetch_count=10)
        with consumer:
            connection.drain_events(timeout=5)
        assert [message.payload for message in taken] == [0]
        assert waiting(connection) == 0
