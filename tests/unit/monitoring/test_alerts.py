"""The alerts as rules: each fires for its fault and for no other one, and nothing fires while all is well."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.servers.prometheus import Course, check, firing
from worker.monitoring import alerts
from worker.monitoring.alerts import ALERTS, RUNBOOKS, Alert
from worker.monitoring.catalogue import BY_NAME, FAMILIES, series

ROOT: Final = Path(__file__).parents[3]
RULES: Final = ROOT / "deploy/prometheus/alerts.yml"
MINUTES: Final = 620
STEP: Final = 2
FAULT: Final = 420
"""The minute at which a fault begins."""
BEFORE: Final = (200, FAULT - STEP)
AFTER: Final = (540, MINUTES - STEP)
LOOKS: Final = (*BEFORE, *AFTER)
MODEL: Final = 'model="gemini-3.1-flash-tts"'
COST: Final = f'ttsq_cost_dollars_total{{{MODEL},tenant="default"}}'
SUCCEEDED: Final = f'ttsq_attempts_total{{verdict="success",{MODEL}}}'
REFUSED: Final = f'ttsq_attempts_total{{verdict="refused",{MODEL}}}'
BAD: Final = f'ttsq_attempts_total{{verdict="bad_take",{MODEL}}}'
RUNNING: Final = 'ttsq_jobs{status="running"}'
BATCH: Final = '{kind="batch",name="1"}'

Values = Sequence[float | None]


def course(value: Callable[[int], float | None]) -> Values:
    return [value(minute) for minute in range(0, MINUTES, STEP)]


def flat(value: float) -> Values:
    return [value] * (MINUTES // STEP)


def changes(before: float | None, after: float | None, *, until: int = MINUTES) -> Values:
    """A value that changes when the fault begins."""
    return course(lambda minute: after if FAULT <= minute < until else before)


def grows(before: float, after: float) -> Values:
    """A counter by its growth a minute, before and from the fault on."""
    return course(lambda minute: min(minute, FAULT) * before + max(0, minute - FAULT) * after)


def until_fault(values: Values) -> Values:
    """Without samples from the fault on."""
    return course(lambda minute: values[minute // STEP] if minute < FAULT else None)


HEALTHY: Final[dict[str, Values]] = {
    "ttsq_leader": flat(1),
    "ttsq_workers": flat(2),
    "ttsq_startable_jobs": flat(40),
    RUNNING: flat(10),
    "ttsq_queue_age_seconds": flat(14_000),
    "ttsq_priority_queue_age_seconds": flat(4),
    SUCCEEDED: grows(20, 20),
    REFUSED: grows(0.2, 0.2),
    BAD: grows(0.1, 0.1),
    COST: grows(0.134, 0.134),
    "ttsq_balance_dollars": course(lambda minute: 900 - 0.134 * minute),
    "ttsq_possibly_billed_attempts": flat(3),
    "ttsq_delivery_age_seconds": flat(2),
    "ttsq_workers_lost_total": flat(1),
    f"ttsq_budget_used_ratio{BATCH}": flat(0.5),
    f"ttsq_budget_holds{BATCH}": flat(0),
}

STANDSTILL: Final[dict[str, Values]] = {
    RUNNING: changes(10, 0),
    SUCCEEDED: grows(20, 0),
    REFUSED: grows(0.2, 0),
    BAD: grows(0.1, 0),
    COST: grows(0.134, 0),
    "ttsq_balance_dollars": course(lambda minute: 900 - 0.134 * min(minute, FAULT)),
}
"""No call any more, for whatever reason."""
IDLE: Final = STANDSTILL | {"ttsq_startable_jobs": changes(40, 0), "ttsq_queue_age_seconds": changes(14_000, 0)}

FAULTS: Final[dict[str, dict[str, Values]]] = {
    "TtsqMetricsMissing": {name: until_fault(values) for name, values in HEALTHY.items()},
    "TtsqNoWorkers": {"ttsq_workers": changes(2, 0)},
    "TtsqNoLeader": {"ttsq_leader": changes(1, 0)},
    "TtsqNothingStarts": STANDSTILL,
    "TtsqPriorityJobsWait": {"ttsq_priority_queue_age_seconds": changes(4, 301)},
    "TtsqJobsWait": {"ttsq_queue_age_seconds": changes(14_000, 90_000)},
    "TtsqGateClosed": IDLE | {'ttsq_gate_closed{gate="account",code="insufficient_credits"}': changes(None, 1)},
    "TtsqUploadsFail": IDLE | {'ttsq_gate_closed{gate="storage",code="unreachable"}': changes(None, 1)},
    "TtsqBalanceLow": {"ttsq_balance_dollars": course(lambda m: (900 if m < FAULT else 200) - 0.134 * m)},
    "TtsqLedgerUnlikeAccount": {
        "ttsq_balance_dollars": course(lambda minute: 900 - 0.134 * minute - 0.05 * max(0, minute - FAULT))
    },
    "TtsqBudgetNearlyUsed": {f"ttsq_budget_used_ratio{BATCH}": changes(0.5, 0.81)},
    "TtsqBudgetUsed": {
        f"ttsq_budget_used_ratio{BATCH}": changes(0.5, 0.999),
        f"ttsq_budget_holds{BATCH}": changes(0, 1),
    },
    "TtsqRefusals": {REFUSED: grows(0.2, 2)},
    "TtsqBadTakes": {BAD: grows(0.1, 1)},
    "TtsqPossiblyBilled": {"ttsq_possibly_billed_attempts": course(lambda m: 3 + max(0, m - FAULT) // 9)},
    "TtsqPriceEnds": {f"ttsq_price_days{{{MODEL}}}": changes(14, 13)},
    "TtsqModelEnds": {f"ttsq_sunset_days{{{MODEL}}}": changes(30, 29)},
    "TtsqWebhooksLate": {"ttsq_delivery_age_seconds": changes(2, 1_000)},
    "TtsqWorkerLost": {"ttsq_workers_lost_total": course(lambda m: 1 + max(0, m - FAULT) // 10)},
}
TOGETHER: Final[dict[str, frozenset[str]]] = {"TtsqBalanceLow": frozenset({"TtsqLedgerUnlikeAccount"})}
"""Alerts that another one's fault raises as well: here a fall of the balance by hundreds at once."""

CALM: Final[dict[str, dict[str, Values]]] = {
    "a healthy system": {},
    "an idle one": IDLE,
    "a paused batch": IDLE | {'ttsq_held_jobs{reason="paused"}': changes(0, 40)},
    "a gate closed by an operator": IDLE | {'ttsq_gate_closed{gate="account",code="operator"}': changes(None, 1)},
    "a pause of the pace": {
        "ttsq_startable_jobs": changes(40, 0, until=FAULT + STEP),
        RUNNING: changes(10, 0, until=FAULT + STEP),
    },
    "a full account": {"ttsq_balance_dollars": course(lambda m: (900 if m < FAULT else 1_900) - 0.134 * m)},
    "a stopped worker": {"ttsq_workers": changes(2, 1)},
    "a gateway that restarts": {"ttsq_leader": changes(1, None, until=FAULT + 2 * STEP)},
    "a new leader": {"ttsq_leader": changes(1, 0, until=FAULT + STEP)},
    "a cleared doubt": {"ttsq_possibly_billed_attempts": changes(3, 2)},
    "the price of a model that is not used": {'ttsq_price_days{model="other"}': changes(14, 0)},
    "a single refusal": {REFUSED: changes(120, 121), SUCCEEDED: grows(0.01, 0.01), BAD: flat(9)},
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fires_for_its_fault_alone(name: str, tmp_path: Path) -> None:
    """Not before it, and until it ends."""
    found = firing(RULES, Course(HEALTHY | FAULTS[name], LOOKS, STEP), tmp_path)
    assert {found[minute] for minute in BEFORE} == {frozenset()}
    allowed = {name} | TOGETHER.get(name, frozenset())
    for minute in AFTER:
        assert name in found[minute] <= allowed, minute


@pytest.mark.parametrize("name", CALM)
def test_nothing_fires_without_a_fault(name: str, tmp_path: Path) -> None:
    """What a user has asked for is none, and neither is the work of every day."""
    looks = (*LOOKS, FAULT + 2, FAULT + 4, FAULT + 14, FAULT + 30)
    found = firing(RULES, Course(HEALTHY | CALM[name], looks, STEP), tmp_path)
    assert set(found.values()) == {frozenset()}


def test_a_budget_hold_is_a_notice_alone(tmp_path: Path) -> None:
    """It holds what its user wanted held: nothing else fires."""
    held = IDLE | FAULTS["TtsqBudgetUsed"] | {'ttsq_held_jobs{reason="budget"}': changes(0, 40)}
    found = firing(RULES, Course(HEALTHY | held, LOOKS, STEP), tmp_path)
    assert found[AFTER[-1]] == {"TtsqBudgetUsed"}


def test_a_model_that_was_bad_from_the_start_is_told(tmp_path: Path) -> None:
    """It has no usual share."""
    new = {'ttsq_attempts_total{verdict="bad_take",model="new"}', 'ttsq_attempts_total{verdict="success",model="new"}'}
    counts = {name: course(lambda m: max(0, m - FAULT) if m >= FAULT else None) for name in sorted(new)}
    assert firing(RULES, Course(HEALTHY | counts, (540,), STEP), tmp_path)[540] == {"TtsqBadTakes"}


def test_every_alert_has_its_fault() -> None:
    assert set(FAULTS) == {alert.name for alert in ALERTS}


def test_the_rules_are_current_and_clean() -> None:
    """After a change: `python -m tests.alert_rules > deploy/prometheus/alerts.yml`."""
    assert RULES.read_text(encoding="utf-8") == alerts.rules()
    assert check("rules", str(RULES)) == ""


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_each_asks_for_metrics_that_exist_by_labels_that_they_have(alert: Alert) -> None:
    known = {name for family in FAMILIES for name in series(family)}
    assert set(re.findall(r"ttsq_\w+", alert.expression)) <= known
    for name, matchers in re.findall(r"(ttsq_\w+)\{([^}]*)\}", alert.expression):
        assert set(re.findall(r"(\w+)[=!]", matchers)) <= set(BY_NAME[name].labels)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_each_has_a_runbook_with_a_command(alert: Alert) -> None:
    """The page says what is wrong, what to run, and what to do."""
    page = (ROOT / alert.runbook).read_text(encoding="utf-8")
    assert page.startswith(f"# {alert.name}\n")
    assert re.search(r"^    ttsq |^    curl |^    systemctl ", page, re.MULTILINE)
    assert f"]({alert.name}.md)" in (ROOT / RUNBOOKS / "README.md").read_text(encoding="utf-8")
