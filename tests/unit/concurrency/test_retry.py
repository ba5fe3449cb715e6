"""Work that is repeated through an outage."""

from __future__ import annotations

import pytest

from worker.concurrency.futures import run_here
from worker.concurrency.retry import retry


class Work:
    """Fails some times, then succeeds."""

    def __init__(self, failures: int, error: type[Exception] = OSError) -> None:
        self.failures, self.error = failures, error
        self.failed: list[int] = []
        self.recoveries = 0

    async def __call__(self) -> str:
        """One try."""
        if self.failures:
            self.failures -= 1
            raise self.error("away")
        return "done"

    async def note(self, _error: OSError, tries: int) -> None:
        """Count a failure."""
        self.failed.append(tries)

    async def give_up(self, error: OSError, tries: int) -> None:
        """Count a failure, and end at the second."""
        self.failed.append(tries)
        if tries:
            raise error

    def recover(self) -> None:
        """Count the end of an outage."""
        self.recoveries += 1


@pytest.mark.parametrize(("failures", "recoveries"), [(0, 0), (1, 1), (3, 1)])
def test_it_is_repeated_until_it_succeeds(failures: int, recoveries: int) -> None:
    """The handler receives the number of earlier failures; the end of an outage is reported once."""
    work = Work(failures)
    assert run_here(retry(work, OSError, failed=work.note, recovered=work.recover)) == "done"
    assert (work.failed, work.recoveries) == (list(range(failures)), recoveries)


def test_it_ends_with_what_the_handler_raises() -> None:
    """And with any error of another kind, at once."""
    work = Work(5)
    with pytest.raises(OSError, match="away"):
        run_here(retry(work, OSError, failed=work.give_up, recovered=work.recover))
    assert work.failed == [0, 1]
    other = Work(1, KeyError)
    with pytest.raises(KeyError):
        run_here(retry(other, OSError, failed=other.note, recovered=other.recover))
    assert (other.failed, other.recoveries) == ([], 0)
