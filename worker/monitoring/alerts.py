"""The alerts over the metrics; `python -m tests.alert_rules > deploy/prometheus/alerts.yml` renders the rules.

Each is true when it fires, and has a page in docs/runbooks with the commands to run. What a user has asked for is no
fault: neither a paused batch nor a gate that an operator closed raises any, and a budget no more than a notice.

Gateways show the same values of the database, so queries take the highest of them. A counter of a restarted gateway
begins no new series of the database's, only of its instance.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

RUNBOOKS: Final = "docs/runbooks"


class Severity(StrEnum):
    CRITICAL = "critical"
    """Nothing works, or money is lost: now."""
    WARNING = "warning"
    """Something is slower, dearer or worse than it should be: today."""
    NOTICE = "notice"
    """A limit that a user has set is near or reached: for information."""


@dataclass(frozen=True, slots=True)
class Alert:
    name: str
    severity: Severity
    expression: str
    hold: str
    """How long the expression must be true, as Prometheus writes durations."""
    summary: str
    """One line; `{{ … }}` are Prometheus' templates."""

    @property
    def runbook(self) -> str:
        return f"{RUNBOOKS}/{self.name}.md"


def highest(counter: str, window: str, *labels: str, offset: str = "") -> str:
    """Return the increase of a counter of the database: every gateway has it."""
    by = f" by ({', '.join(labels)})" if labels else ""
    return f"max{by} (increase({counter}[{window}]{offset}))"


def _attempts(window: str, verdicts: str = "", offset: str = "") -> str:
    """Return the attempts of a window by model: of these verdicts, or of all with a call."""
    which = verdicts or 'verdict!~"cached|released|lost"'
    counted = highest(f"ttsq_attempts_total{{{which}}}", window, "verdict", "model", offset=offset)
    return f"sum by (model) ({counted})"


REFUSED: Final = _attempts("30m", 'verdict="refused"')
BAD: Final = _attempts("1h", 'verdict="bad_take"')
USUAL_BAD: Final = _attempts("7d", 'verdict="bad_take"', " offset 1d")
USUAL: Final = f"({USUAL_BAD} / {_attempts('7d', offset=' offset 1d')})"
USED: Final = _attempts("7d")
SPENT: Final = f"sum({highest('ttsq_cost_dollars_total', '6h', 'model', 'tenant')})"
IN_FLIGHT: Final = 'sum(max by (status) (ttsq_jobs{status=~"dispatched|running"}))'
ENDED: Final = f"(sum({highest('ttsq_attempts_total', '5m', 'verdict', 'model')}) or vector(0))"

ALERTS: Final = (
    Alert(
        "TtsqMetricsMissing",
        Severity.CRITICAL,
        "absent(ttsq_leader)",
        "5m",
        "No gateway shows metrics: no other alert can fire.",
    ),
    Alert(
        "TtsqNoWorkers",
        Severity.CRITICAL,
        "max(ttsq_workers) == 0 and max(ttsq_startable_jobs) > 0",
        "5m",
        "Jobs could start, and no worker is running.",
    ),
    Alert(
        "TtsqNoLeader",
        Severity.CRITICAL,
        "max(ttsq_leader) == 0 and max(ttsq_workers) > 0",
        "2m",
        "Workers are running and none of them leads: no job starts.",
    ),
    Alert(
        "TtsqNothingStarts",
        Severity.CRITICAL,
        f"max(ttsq_startable_jobs) > 0 and on () {IN_FLIGHT} == 0 and on () {ENDED} == 0",
        "10m",
        "For ten minutes nothing has started, though {{ $value }} jobs could.",
    ),
    Alert(
        "TtsqPriorityJobsWait",
        Severity.WARNING,
        "max(ttsq_priority_queue_age_seconds) > 300",
        "5m",
        "A job with a priority that could start has waited for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "TtsqJobsWait",
        Severity.WARNING,
        "max(ttsq_queue_age_seconds) > 86400",
        "1h",
        "A job that could start has waited for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "TtsqGateClosed",
        Severity.WARNING,
        'max by (gate, code) (ttsq_gate_closed{gate!="storage", code!="operator"}) == 1',
        "15m",
        "The gate {{ $labels.gate }} is closed: {{ $labels.code }}.",
    ),
    Alert(
        "TtsqUploadsFail",
        Severity.CRITICAL,
        'max by (code) (ttsq_gate_closed{gate="storage", code!="operator"}) == 1',
        "2m",
        "Finished audio cannot be stored, so nothing more is bought: {{ $labels.code }}.",
    ),
    Alert(
        "TtsqBalanceLow",
        Severity.WARNING,
        f"min(ttsq_balance_dollars) < 4 * {SPENT}",
        "15m",
        "The balance of ${{ $value }} lasts less than a day at the rate of the last six hours.",
    ),
    Alert(
        "TtsqLedgerUnlikeAccount",
        Severity.CRITICAL,
        f"-min(delta(ttsq_balance_dollars[6h])) - {SPENT} > 0.25 + 0.05 * {SPENT}",
        "30m",
        "In six hours the balance fell by ${{ $value }} more than the ledger explains.",
    ),
    Alert(
        "TtsqBudgetNearlyUsed",
        Severity.NOTICE,
        "max by (kind, name) (ttsq_budget_used_ratio) >= 0.8 unless max by (kind, name) (ttsq_budget_holds) == 1",
        "5m",
        "{{ $value | humanizePercentage }} of the budget of {{ $labels.kind }} {{ $labels.name }} is used.",
    ),
    Alert(
        "TtsqBudgetUsed",
        Severity.NOTICE,
        "max by (kind, name) (ttsq_budget_holds) == 1",
        "5m",
        "The budget of {{ $labels.kind }} {{ $labels.name }} holds jobs.",
    ),
    Alert(
        "TtsqRefusals",
        Severity.WARNING,
        f"{REFUSED} / {_attempts('30m')} > 0.05 and {REFUSED} >= 3",
        "5m",
        "The API refuses {{ $value | humanizePercentage }} of the calls of {{ $labels.model }} for good.",
    ),
    Alert(
        "TtsqBadTakes",
        Severity.WARNING,
        f"{BAD} / {_attempts('1h')} > 3 * ({USUAL} or 0 * {BAD}) and {BAD} / {_attempts('1h')} > 0.02 and {BAD} >= 5",
        "5m",
        "{{ $value | humanizePercentage }} of the takes of {{ $labels.model }} are bad, thrice its usual share.",
    ),
    Alert(
        "TtsqPossiblyBilled",
        Severity.WARNING,
        "max(delta(ttsq_possibly_billed_attempts[1h])) > 0",
        "5m",
        "Calls ended without a clear response in the last hour, and may have been billed.",
    ),
    Alert(
        "TtsqPriceEnds",
        Severity.WARNING,
        f"min by (model) (ttsq_price_days) < 14 and {USED} > 0",
        "1h",
        "The last price row of {{ $labels.model }} ends in {{ $value }} days.",
    ),
    Alert(
        "TtsqModelEnds",
        Severity.WARNING,
        f"min by (model) (ttsq_sunset_days) < 30 and {USED} > 0",
        "1h",
        "The vendor serves {{ $labels.model }} for {{ $value }} more days.",
    ),
    Alert(
        "TtsqWebhooksLate",
        Severity.WARNING,
        "max(ttsq_delivery_age_seconds) > 900",
        "5m",
        "A webhook has been on its way for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "TtsqWorkerLost",
        Severity.WARNING,
        highest("ttsq_workers_lost_total", "15m") + " > 0",
        "0m",
        "A worker's heartbeat lapsed without a sign-off; its jobs went to others.",
    ),
)


def rules() -> str:
    """Return the rules as YAML. Strings are written as JSON, which is YAML as well."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Rendered by `python -m tests.alert_rules > deploy/prometheus/alerts.yml`. Runbooks: docs/runbooks."
    yield from ("groups:", "  - name: ttsq", "    rules:")
    for alert in ALERTS:
        yield f"      - alert: {alert.name}"
        yield f"        expr: {json.dumps(alert.expression)}"
        yield f"        for: {alert.hold}"
        yield f"        labels: {{severity: {alert.severity}}}"
        yield "        annotations:"
        yield f"          summary: {json.dumps(alert.summary)}"
        yield f"          runbook: {alert.runbook}"
