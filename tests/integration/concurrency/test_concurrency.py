"""Many things under way at once on a few threads: nothing is forgotten, nothing is done twice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from contextvars import ContextVar
from functools import partial

import pytest

from worker.concurrency.coroutines import CoroutineRunner
from worker.concurrency.futures import resolved, run_here, wait_for
from worker.concurrency.reactor import Reactor
from worker.concurrency.stop_event import StopEvent
from worker.concurrency.thread_pool import ElasticThreadPool

PATIENCE = 20.0
whose: ContextVar[int] = ContextVar("whose")


@pytest.fixture
def reactor() -> Reactor:
    """One for each test."""
    return Reactor()


@pytest.fixture
def crew(reactor: Reactor) -> Iterator[ElasticThreadPool]:
    """Two threads, and no more."""
    with closing(ElasticThreadPool("test", reactor, usual=2, most=2)) as made:
        yield made


def finished(work: Callable[[], object]) -> Future[object]:
    """A future that another thread settles."""
    future: Future[object] = Future()
    threading.Thread(target=lambda: future.set_result(work()), daemon=True).start()
    return future


class TestSwitchboard:
    """Sockets and the clock."""

    def test_reports_a_readable_descriptor(self, reactor: Reactor) -> None:
        """Whatever comes, an end included; and nothing sooner."""
        near, far = socket.socketpair()
        with near, far:
            came = reactor.readable(near.fileno(), PATIENCE)
            assert not came.done()
            far.send(b"x")
            assert came.result(PATIENCE) is True
        near, far = socket.socketpair()
        with near:
            ended = reactor.readable(near.fileno(), PATIENCE)
            far.close()
            assert ended.result(PATIENCE) is True

    def test_reports_a_timeout(self, reactor: Reactor) -> None:
        """After the timeout another caller may watch the descriptor."""
        near, far = socket.socketpair()
        with near, far:
            assert reactor.readable(near.fileno(), 0.01).result(PATIENCE) is False
            far.send(b"x")
            assert reactor.readable(near.fileno(), PATIENCE).result(PATIENCE) is True

    def test_watches_thousands(self, reactor: Reactor) -> None:
        """Each waiter is notified of its own descriptor."""
        pairs = [socket.socketpair() for _ in range(400)]
        futures = [reactor.readable(near.fileno(), PATIENCE) for near, _ in pairs]
        for _, far in pairs[::2]:
            far.send(b"x")
        assert all(future.result(PATIENCE) for future in futures[::2])
        assert not any(future.done() for future in futures[1::2])
        for _, far in pairs:
            far.close()
        assert all(future.result(PATIENCE) for future in futures)
        for near, _ in pairs:
            near.close()

    def test_outlives_what_it_calls(self, reactor: Reactor) -> None:
        """A callback that raises leaves all other waits intact."""
        reactor.call_later(0.0, lambda: 1 // 0)
        assert reactor.sleep(0.01).result(PATIENCE) is None


class TestStopping:
    """The stop of a worker."""

    def test_cuts_every_pause_short(self, reactor: Reactor) -> None:
        """Those under way, and those that come later."""
        stopping = StopEvent(reactor)
        pauses = [stopping.pause(3_600) for _ in range(3)]
        assert not any(pause.done() for pause in pauses)
        stopping.set()
        assert [pause.result(PATIENCE) for pause in (*pauses, stopping.pause(3_600))] == [True] * 4

    def test_a_pause_ends_by_itself(self, reactor: Reactor) -> None:
        assert StopEvent(reactor).pause(0.001).result(PATIENCE) is False


class TestCrew:
    """Threads."""

    def test_does_everything_once(self, crew: ElasticThreadPool) -> None:
        """Each submitted piece of work runs exactly once."""
        futures = [crew.submit(partial(int, number)) for number in range(500)]
        assert [future.result(PATIENCE) for future in futures] == list(range(500))

    def test_raises_the_error_to_the_caller(self, crew: ElasticThreadPool) -> None:
        """The caller gets the error; the thread takes the next piece of work."""
        with pytest.raises(ZeroDivisionError):
            crew.submit(lambda: 1 // 0).result(PATIENCE)
        assert crew.submit(lambda: 7).result(PATIENCE) == 7

    def test_threads_are_added_when_others_block(self, reactor: Reactor) -> None:
        """Two wait for a third piece of work that no thread is free for: one more takes it."""
        with closing(ElasticThreadPool("test", reactor, usual=2, most=8)) as crew:
            gate = threading.Event()
            held_up = [crew.submit(lambda: gate.wait(PATIENCE)) for _ in range(2)]
            crew.add(gate.set)
            assert [found.result(PATIENCE) for found in held_up] == [True, True]

    def test_no_more_work_at_once_than_may(self, crew: ElasticThreadPool) -> None:
        """What has no thread waits for one."""
        lock, at_work, most = threading.Lock(), 0, 0

        def work() -> None:
            nonlocal at_work, most
            with lock:
                at_work += 1
                most = max(most, at_work)
            threading.Event().wait(0.001)
            with lock:
                at_work -= 1

        for found in [crew.submit(work) for _ in range(200)]:
            found.result(PATIENCE)
        assert most <= 2


class TestCourses:
    """Coroutines on a crew."""

    def test_a_thousand_wait_on_two_threads(self, crew: ElasticThreadPool) -> None:
        """All are under way at once, each keeps its own context, and each reports its end."""
        gates: list[Future[None]] = [Future() for _ in range(1_000)]
        seen, ends, begun = [], threading.Semaphore(0), threading.Semaphore(0)

        async def steps(number: int) -> None:
            whose.set(number)
            begun.release()
            await wait_for(gates[number])
            seen.append(whose.get() == number)

        for number in range(1_000):
            CoroutineRunner(crew).start(steps(number), ends.release)
        for _ in range(1_000):
            assert begun.acquire(timeout=PATIENCE)
        for gate in gates:
            gate.set_result(None)
        for _ in range(1_000):
            assert ends.acquire(timeout=PATIENCE)
        assert seen == [True] * 1_000

    def test_an_aborted_coroutine_reports_its_end(self, crew: ElasticThreadPool) -> None:
        """A caller that waits for it doesn't wait forever."""
        ended = threading.Event()

        async def steps() -> None:
            await wait_for(finished(lambda: None))
            raise OSError("the disk is gone")

        CoroutineRunner(crew).start(steps(), ended.set)
        assert ended.wait(PATIENCE)


def test_a_coroutine_may_be_driven_by_the_thread_that_has_it() -> None:
    """It sleeps through the waits, and gets the result; errors come up where they are waited for."""

    async def steps() -> int:
        assert await wait_for(finished(lambda: 1)) == 1
        failed: Future[int] = Future()
        failed.set_exception(KeyError("x"))
        with pytest.raises(KeyError):
            await wait_for(failed)
        return await wait_for(resolved(5))

    assert run_here(steps()) == 5
