"""Runs coroutines on a thread pool; a waiting coroutine holds no thread."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass

from worker.concurrency.futures import Steps
from worker.concurrency.thread_pool import ElasticThreadPool


@dataclass(frozen=True, slots=True)
class _Run:
    """A coroutine and the context variables that follow it from thread to thread."""

    steps: Steps[None]
    context: Context
    ended: Callable[[], object]


@dataclass(frozen=True, slots=True)
class CoroutineRunner:
    pool: ElasticThreadPool

    def start(self, steps: Steps[None], ended: Callable[[], object]) -> None:
        """Start the coroutine and return. `ended` is called on the coroutine's last thread, even if it raised."""
        run = _Run(steps, copy_context(), ended)
        self.pool.add(lambda: self._resume(run))

    def _resume(self, run: _Run) -> None:
        try:
            future = run.context.run(run.steps.send, None)
        except StopIteration:
            run.ended()
        except BaseException:
            # Release the caller's slot; the pool logs the exception.
            run.ended()
            raise
        else:
            future.add_done_callback(lambda _: self.pool.add(lambda: self._resume(run)))
