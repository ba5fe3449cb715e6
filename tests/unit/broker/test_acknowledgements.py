"""Messages that are done with are acknowledged together, and each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import pytest
from kombu import Connection, Consumer, Queue
from kombu.message import Message

from worker.broker.consumer import Acknowledgements

QUEUE = Queue("turns", durable=False)


@dataclass
class Loop:
    """What is asked of Celery's consumer: it does things on its own thread, later."""

    connection_errors: tuple[type[BaseException], ...] = (OSError,)
    asked: list[Callable[[], object]] = field(default_factory=list)

    def call_soon_ack(self, call: Callable[..., object], *arguments: object) -> None:
        """Next time round."""
        self.asked.append(partial(call, *arguments))


@pytest.fixture
def messages() -> Iterator[list[Message]]:
    """Three that were delivered and not acknowledged."""
    with Connection("memory://") as connection, connection.channel() as channel:
        found: list[Message] = []
        with connection.Producer(channel) as producer:
            for number in range(3):
                producer.publish({"number": number}, routing_key=QUEUE.name, declare=[QUEUE])
        with Consumer(channel, [QUEUE], callbacks=[lambda _, message: found.append(message)]):
            while len(found) < 3:
                connection.drain_events(timeout=5)
        yield found


def test_what_ends_together_is_acknowledged_together(messages: list[Message]) -> None:
    """One word to Celery for all; and what ends afterwards needs another."""
    loop = Loop()
    quiet: list[Callable[[], object]] = []
    done = Acknowledgements(loop, defer=quiet.append)
    for message in messages[:2]:
        done.add(message)
    assert (len(quiet), len(loop.asked)) == (1, 0)

    quiet.pop()()
    assert [message.acknowledged for message in messages] == [False, False, False]
    loop.asked.pop()()
    assert [message.acknowledged for message in messages] == [True, True, False]

    done.add(messages[2])
    quiet.pop()()
    loop.asked.pop()()
    assert [message.acknowledged for message in messages] == [True, True, True]
