"""`python -m benchmarks [--full] [NAME [KNOB=VALUE …] …]`: run benchmarks, all by default; see README.md beside it."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rich.console import Console

from benchmarks import (
    acceptance,
    backlog,
    bound,
    budget,
    cpu,
    credit,
    documents,
    fairness,
    faults,
    formats,
    gateway,
    growth,
    hostile,
    inbox,
    inflight,
    ingest,
    kills,
    large,
    leave,
    lexicon,
    pace,
    run,
    scaling,
    speech,
    start,
    takes,
    throughput,
    twins,
    webhooks,
)
from benchmarks.keeping import keep, machine
from benchmarks.report import Report, show


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One module of this package: its knobs as they are by default and with `--full`, and its measurement."""

    knobs: Any
    full: Any
    measure: Callable[[Any, Callable[[str], None]], Report]


BENCHMARKS: Final = {
    "cpu": Benchmark(cpu.Knobs(), cpu.FULL, cpu.measure),
    "bound": Benchmark(bound.Knobs(), bound.FULL, bound.measure),
    "inflight": Benchmark(inflight.Knobs(), inflight.FULL, inflight.measure),
    "throughput": Benchmark(throughput.Knobs(), throughput.FULL, throughput.measure),
    "run": Benchmark(run.Knobs(), run.FULL, run.measure),
    "pace": Benchmark(pace.Knobs(), pace.FULL, pace.measure),
    "large": Benchmark(large.Knobs(), large.FULL, large.measure),
    "leave": Benchmark(leave.Knobs(), leave.FULL, leave.measure),
    "credit": Benchmark(credit.Knobs(), credit.FULL, credit.measure),
    "budget": Benchmark(budget.Knobs(), budget.FULL, budget.measure),
    "kills": Benchmark(kills.Knobs(), kills.FULL, kills.measure),
    "takes": Benchmark(takes.Knobs(), takes.FULL, takes.measure),
    "faults": Benchmark(faults.Knobs(), faults.FULL, faults.measure),
    "formats": Benchmark(formats.Knobs(), formats.FULL, formats.measure),
    "ingest": Benchmark(ingest.Knobs(), ingest.FULL, ingest.measure),
    "backlog": Benchmark(backlog.Knobs(), backlog.FULL, backlog.measure),
    "scaling": Benchmark(scaling.Knobs(), scaling.FULL, scaling.measure),
    "fairness": Benchmark(fairness.Knobs(), fairness.FULL, fairness.measure),
    "twins": Benchmark(twins.Knobs(), twins.FULL, twins.measure),
    "speech": Benchmark(speech.Knobs(), speech.FULL, speech.measure),
    "inbox": Benchmark(inbox.Knobs(), inbox.FULL, inbox.measure),
    "start": Benchmark(start.Knobs(), start.FULL, start.measure),
    "growth": Benchmark(growth.Knobs(), growth.FULL, growth.measure),
    "gateway": Benchmark(gateway.Knobs(), gateway.FULL, gateway.measure),
    "hostile": Benchmark(hostile.Knobs(), hostile.FULL, hostile.measure),
    "lexicon": Benchmark(lexicon.Knobs(), lexicon.FULL, lexicon.measure),
    "documents": Benchmark(documents.Knobs(), documents.FULL, documents.measure),
    "acceptance": Benchmark(acceptance.Knobs(), acceptance.FULL, acceptance.measure),
    "webhooks": Benchmark(webhooks.Knobs(), webhooks.FULL, webhooks.measure),
}


class UsageError(Exception):
    """The words on the command line make no sense; the message says which."""


def plan(words: Sequence[str]) -> dict[str, Any]:
    """The benchmarks to run, each with its knobs. A `KNOB=VALUE` belongs to the name before it."""
    full = "--full" in words
    chosen: dict[str, Any] = {}
    name = ""
    for word in words:
        if word == "--full":
            continue
        knob, equals, value = word.partition("=")
        if not equals:
            if word not in BENCHMARKS:
                raise UsageError(f"no benchmark {word}; there are {', '.join(BENCHMARKS)}")
            name = word
            chosen[name] = _start(name, full=full)
        elif not name:
            raise UsageError(f"{word} comes before the name of its benchmark")
        else:
            chosen[name] = _turned(chosen[name], knob, value)
    return chosen or {name: _start(name, full=full) for name in BENCHMARKS}


def main(words: Sequence[str]) -> int:
    """Run them one after the other; 0 where every figure counts, 1 where some don't, 2 for a wrong command line."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        chosen = plan(words)
    except UsageError as error:
        console.print(f"benchmarks: {error}", markup=False, highlight=False)
        return 2
    console.print(", ".join(f"{name}: {value}" for name, value in machine().items()), markup=False, highlight=False)
    sound = True
    for name, knobs in chosen.items():
        began = time.monotonic()
        report = BENCHMARKS[name].measure(knobs, lambda line: console.print(line, style="dim", highlight=False))
        show(report, console)
        took = time.monotonic() - began
        console.print(f"  took {took:.0f} s; kept in {keep(report, knobs)}, .md and .png\n", highlight=False)
        sound = sound and not report.faults
    return 0 if sound else 1


def _start(name: str, *, full: bool) -> Any:  # noqa: ANN401 - each benchmark has knobs of its own
    return BENCHMARKS[name].full if full else BENCHMARKS[name].knobs


def _turned(knobs: Any, knob: str, value: str) -> Any:  # noqa: ANN401 - as above
    known = {field.name: type(getattr(knobs, field.name)) for field in dataclasses.fields(knobs)}
    if knob not in known:
        raise UsageError(f"no knob {knob}; there are {', '.join(known)}")
    try:
        return replace(knobs, **{knob: known[knob](value)})
    except ValueError as error:
        raise UsageError(f"{knob}={value}: {error}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
