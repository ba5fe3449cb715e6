"""Coroutines on their way, each driven from wait to wait by whichever thread of a crew is free."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass

from worker.concurrency.futures import Steps
from worker.concurrency.thread_pool import ElasticThreadPool


@dataclass(frozen=True, slots=True)
class _Course:
    """One coroutine, the context that it keeps from thread to thread, and who is told of its end."""

    steps: Steps[None]
    context: Context
    ended: Callable[[], object]


@dataclass(frozen=True, slots=True)
class CoroutineRunner:
    """Any number of them at a time: one that waits holds no thread."""

    crew: ElasticThreadPool

    def start(self, steps: Steps[None], ended: Callable[[], object]) -> None:
        """Begin with it, and return at once. `ended` is called on its last thread, whatever its end."""
        course = _Course(steps, copy_context(), ended)
        self.crew.add(lambda: self._go_on(course))

    def _go_on(self, course: _Course) -> None:
        """To its next wait, or its end."""
        try:
            future = course.context.run(course.steps.send, None)
        except StopIteration:
            course.ended()
        except BaseException:
            # It vanishes with what it had in hand: whoever started it must not wait for it for ever.
            course.ended()
            raise
        else:
            future.add_done_callback(lambda _: self.crew.add(lambda: self._go_on(course)))
