"""Renders docs/metrics.md from the table of metrics: `python -m tests.metrics_page > docs/metrics.md`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from worker.monitoring.catalogue import FAMILIES, Source

INTRODUCTION: Final = """# Metrics

`/metrics` in Prometheus' text format. This page is rendered from `worker/monitoring/catalogue.py`.

Counters only grow: each attempt and each end of a job counts once, in the transaction that takes note of it, so
restarts, crashes and purges change nothing. Several gateways show the same values of the database: aggregate them
by `max`, not by `sum`."""
HEADINGS: Final = {
    Source.DATABASE: "Of the installation, at every gateway",
    Source.GATEWAY: "Of one gateway process",
    Source.WORKER: "Of one worker process",
}


def page() -> str:
    return "\n".join([INTRODUCTION, *(line for source in Source for line in _section(source))]) + "\n"


def _section(source: Source) -> Iterator[str]:
    yield from ("", f"## {HEADINGS[source]}", "", "| metric | kind | labels | what it says |", "|---|---|---|---|")
    for family in FAMILIES:
        if family.source is source:
            labels = ", ".join(f"`{label}`" for label in family.labels)
            yield f"| `{family.name}` | {family.kind} | {labels} | {family.description} |"


if __name__ == "__main__":
    print(page(), end="")
