"""What a batch is called by how it stands, and what machines are told of it."""

from __future__ import annotations

from typing import Any

from worker.cli.queue.reckoning import amount, stamp
from worker.store.batches import BatchRecord
from worker.store.views import Counts


def state_of(batch: BatchRecord, *, over: bool) -> str:
    """One word: `finished` and `over` differ by the result files, which are yet to be written in the latter."""
    if over:
        return "over" if batch.finished_at is None else "finished"
    return "under way" if batch.paused_at is None else "paused"


def as_data(batch: BatchRecord, counts: Counts, *, over: bool) -> dict[str, Any]:
    """The batch for machines. The keys are a promise."""
    return {
        "id": str(batch.id),
        "name": batch.name,
        "tenant": batch.tenant,
        "state": state_of(batch, over=over),
        "total": counts.total,
        "counts": {str(status): number for status, number in sorted(counts.by_status.items())},
        "cached": counts.cached,
        "cost": amount(counts.cost),
        "created_at": stamp(batch.created_at),
        "paused_at": stamp(batch.paused_at),
        "finished_at": stamp(batch.finished_at),
        "results": batch.results_uri,
    }
