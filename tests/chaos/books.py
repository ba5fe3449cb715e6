"""The ledger held against the API's bill, call by call and to the last digit. Pure.

Every charge in the ledger is one line of the bill. A line that the ledger doesn't have is a call whose answer never
arrived: then a row of the same text says that it may have been billed, one row a line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from api_models.verdict import VerdictKind
from tests.chaos.history import AttemptEnd, History, JobEnd
from tests.chaos.violations import Breach, Violation
from worker.emulator.ledger import BillLine

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Books:
    """How ledger and bill compare."""

    charged: Decimal
    """The ledger's sum."""
    billed: Decimal
    """The bill's sum."""
    unheard: tuple[BillLine, ...]
    """Billed calls whose answer was lost, each with a row that says so."""
    again: int
    """Billed calls by which no job succeeded."""
    faults: tuple[Violation, ...]


@dataclass(slots=True)
class _Page:
    """All that is known of one text: usually one job, two for twins."""

    rows: list[AttemptEnd] = field(default_factory=list)
    lines: list[BillLine] = field(default_factory=list)
    used: dict[str, AttemptEnd] = field(default_factory=dict)
    """The row that has each line, by request id."""


def compare(history: History) -> Books:
    """Both books, and every line and row in which they disagree."""
    faults: list[Violation] = []
    unheard: list[BillLine] = []
    again = 0
    for page in _pages(history).values():
        faults += _charged(page)
        left = [line for line in page.lines if line.request_id not in page.used]
        flagged = [row for row in page.rows if row.possibly_billed and not row.cost]
        unheard += left[: len(flagged)]
        faults += [_unnoticed(line, page.rows) for line in left[len(flagged) :]]
        # The row that has the cost need not be the one that delivered: an earlier attempt may have told of it first.
        again += max(0, len(page.lines) - sum(row.verdict == VerdictKind.SUCCESS for row in page.rows))
    faults += _sums(history.jobs, history.attempts_by_job())
    charged = sum((row.cost for row in history.attempts), ZERO)
    billed = sum((line.cost for line in history.bill), ZERO)
    return Books(charged, billed, tuple(unheard), again, tuple(faults))


def _pages(history: History) -> dict[str, _Page]:
    texts = {job.id: job.text for job in history.jobs}
    pages: dict[str, _Page] = defaultdict(_Page)
    for row in history.attempts:
        pages[texts.get(row.job_id, "")].rows.append(row)
    for line in history.bill:
        pages[line.text].lines.append(line)
    return pages


def _charged(page: _Page) -> Iterator[Violation]:
    """Find the line of every charge; those that name their call choose first."""
    lines = {line.request_id: line for line in page.lines}
    charges = [row for row in page.rows if row.cost]
    for row in sorted(charges, key=lambda row: row.request_id is None):
        line = lines.get(row.request_id) if row.request_id else _any_of(page, row.cost)
        if line is None:
            yield _fault(Breach.CHARGED_UNBILLED, row, "is on no line of the bill")
        elif line.request_id in page.used:
            other = page.used[line.request_id]
            yield _fault(Breach.CHARGED_TWICE, row, f"is already that of attempt {other.number} of {other.job_id}")
        else:
            page.used[line.request_id] = row
            if line.cost != row.cost:
                yield _fault(Breach.WRONG_COST, row, f"is {line.cost} on the bill")


def _any_of(page: _Page, cost: Decimal) -> BillLine | None:
    """A line for a row that doesn't know its call."""
    return next((line for line in page.lines if line.cost == cost and line.request_id not in page.used), None)


def _fault(breach: Breach, row: AttemptEnd, words: str) -> Violation:
    return Violation(breach, f"attempt {row.number}: {row.cost} for {row.request_id} {words}", row.job_id)


def _unnoticed(line: BillLine, rows: Sequence[AttemptEnd]) -> Violation:
    words = (
        f"{line.cost} for {line.request_id} are on the bill; no row has them, nor one left that may have been billed"
    )
    return Violation(Breach.BILLED_UNNOTICED, words, rows[0].job_id if rows else None)


def _sums(jobs: Sequence[JobEnd], attempts: dict[UUID, list[AttemptEnd]]) -> Iterator[Violation]:
    for job in jobs:
        total = sum((row.cost for row in attempts.get(job.id, [])), ZERO)
        if total != job.cost:
            yield Violation(Breach.WRONG_SUM, f"cost {job.cost}, its attempts {total}", job.id)
