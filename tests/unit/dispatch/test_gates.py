"""Gates: what closed ones hold, which attempts close and open them, and when they are probed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from api_models.registry import MODELS
from api_models.verdict import GateScope, VerdictKind
from tests.factories import MODEL, NOW, OTHER_MODEL, a_gate, an_ended
from worker.dispatch.gates import circuit_breaker, rules
from worker.store.account import OPERATOR, Gate

SECOND = timedelta(seconds=1)
ACCOUNT = a_gate()
STORAGE = a_gate(scope=GateScope.STORAGE, code="no_space")
RETIRED = a_gate(scope=GateScope.MODEL, model=OTHER_MODEL, code="model_retired")


def test_no_closed_gate_holds_nothing() -> None:
    """An open house."""
    assert rules.blocked([]) == rules.Blocked(everything=False, models=frozenset())


@pytest.mark.parametrize("gate", [ACCOUNT, STORAGE], ids=lambda gate: gate.name)
def test_account_and_storage_hold_everything(gate: Gate) -> None:
    """No key, no credit, or nowhere to put audio: no job starts."""
    assert rules.blocked([RETIRED, gate]).everything


def test_a_model_gate_holds_its_model_alone() -> None:
    """Other models go on."""
    assert rules.blocked([RETIRED]) == rules.Blocked(everything=False, models=frozenset({OTHER_MODEL}))


@pytest.mark.parametrize("verdict", sorted(set(VerdictKind) - rules.LET_THROUGH))
def test_only_a_call_that_was_let_through_opens_a_gate(verdict: VerdictKind) -> None:
    """A refusal, a retry or a copy says nothing about whether the account takes calls again."""
    assert rules.opened_by(an_ended(verdict=verdict, started_at=NOW + SECOND), [ACCOUNT, RETIRED]) == []


@pytest.mark.parametrize("verdict", sorted(rules.LET_THROUGH))
def test_a_gate_opens_only_on_proof_begun_after_its_closing(verdict: VerdictKind) -> None:
    """A call that was under way when the gate closed proves nothing, even if it ended later."""
    for started, opened in ((NOW - SECOND, []), (NOW, []), (NOW + SECOND, [ACCOUNT])):
        proof = an_ended(verdict=verdict, started_at=started, finished_at=NOW + 60 * SECOND)
        assert rules.opened_by(proof, [ACCOUNT]) == opened


def test_a_success_opens_its_own_model_and_the_account_and_never_the_storage() -> None:
    """Audio that was bought says nothing about where it can be put, nor about other models."""
    here = a_gate(scope=GateScope.MODEL, model=MODEL, code="forbidden")
    proof = an_ended(model=MODEL, started_at=NOW + SECOND)
    assert rules.opened_by(proof, [ACCOUNT, STORAGE, RETIRED, here]) == [ACCOUNT, here]


def test_a_gate_closed_by_hand_is_neither_probed_nor_opened_by_a_success() -> None:
    """However long it is closed, and whatever is let through meanwhile: a hand opens it."""
    by_hand = a_gate(code=OPERATOR)
    much_later = NOW + timedelta(days=30)
    assert rules.due_probes([by_hand, ACCOUNT], much_later) == [ACCOUNT]
    assert rules.opened_by(an_ended(started_at=much_later), [by_hand]) == []
    assert rules.blocked([by_hand]).everything


def test_only_a_gate_verdict_with_a_scope_closes_a_gate() -> None:
    """The name says which one."""
    trouble = {"verdict": VerdictKind.GATE, "model": OTHER_MODEL}
    assert rules.closed_by(an_ended(scope=GateScope.ACCOUNT, **trouble)) == "account"
    assert rules.closed_by(an_ended(scope=GateScope.MODEL, **trouble)) == f"model:{OTHER_MODEL}"
    assert rules.closed_by(an_ended(scope=None, **trouble)) is None
    assert rules.closed_by(an_ended(scope=GateScope.ACCOUNT, verdict=VerdictKind.LATE)) is None


def test_the_wait_before_a_probe_doubles_up_to_its_cap() -> None:
    """30 s, 1 min, 2 min … half an hour, and half an hour from then on."""
    waits = [rules.wait_before_probe(probes, 30).total_seconds() for probes in range(12)]
    assert waits[:7] == [30, 60, 120, 240, 480, 960, 1_800]
    assert set(waits[7:]) == {rules.PROBE_CAP_SECONDS}


@pytest.mark.parametrize("code", sorted(rules.FREE_CHECKS))
def test_free_checks_keep_a_constant_pace(code: str) -> None:
    """An account that was topped up, or a key that was mended, is seen within half a minute, however long it took."""
    waits = {rules.wait_before_probe(probes, 300, code).total_seconds() for probes in range(12)}
    assert waits == {rules.FREE_SECONDS}
    assert rules.wait_before_probe(9, 300, "bucket_gone", scope=GateScope.STORAGE) == rules.FREE_SECONDS * SECOND
    assert rules.wait_before_probe(9, 2, code) == 2 * SECOND


def test_a_broken_upstream_is_probed_soon_and_often() -> None:
    """5, 10, 20, 40 s and then every minute, or sooner where all probes are to come sooner."""
    waits = [rules.wait_before_probe(probes, 30, circuit_breaker.CODE).total_seconds() for probes in range(8)]
    assert waits == [5, 10, 20, 40, 60, 60, 60, 60]
    assert rules.wait_before_probe(0, 0.5, circuit_breaker.CODE) == SECOND / 2
    assert rules.wait_before_probe(10_000, 30, circuit_breaker.CODE) == 60 * SECOND


def test_a_refusal_from_before_a_gate_opened_closes_nothing() -> None:
    """A call that was under way then says nothing of how things are since; a later one does."""
    refusal = an_ended(verdict=VerdictKind.GATE, scope=GateScope.ACCOUNT, started_at=NOW)
    assert rules.closed_by(refusal, {"account": NOW}) is None
    assert rules.closed_by(refusal, {"account": NOW - SECOND}) == "account"
    assert rules.closed_by(refusal, {f"model:{MODEL}": NOW}) == "account"


def test_a_call_that_began_before_the_latest_refusal_proves_nothing() -> None:
    """It may have been let through before the refusal was given, though it began after the gate had closed."""
    proof = an_ended(started_at=NOW + 2 * SECOND)
    assert rules.opened_by(proof, [ACCOUNT], {"account": NOW + 2 * SECOND}) == []
    assert rules.opened_by(proof, [ACCOUNT], {"account": NOW + SECOND}) == [ACCOUNT]
    assert rules.opened_by(proof, [ACCOUNT], {f"model:{MODEL}": NOW + 9 * SECOND}) == [ACCOUNT]


def test_a_balance_proves_nothing_that_the_calls_in_flight_will_take() -> None:
    """It must pay for a call of every model beside them; for other troubles than credit it doesn't matter."""
    dearest = max(model.price for model in MODELS.values())
    assert rules.is_proof(ACCOUNT, 11 * dearest, in_flight=10)
    assert not rules.is_proof(ACCOUNT, 11 * dearest - Decimal("1e-12"), in_flight=10)
    assert rules.is_proof(ACCOUNT, dearest, in_flight=0)
    assert rules.is_proof(a_gate(code="bad_key"), Decimal(0), in_flight=10)
    assert rules.is_proof(STORAGE, None, in_flight=10)


def test_a_probe_is_due_from_its_time_on() -> None:
    """Not a moment earlier."""
    assert rules.due_probes([ACCOUNT], NOW + 29 * SECOND) == []
    assert rules.due_probes([ACCOUNT, RETIRED], NOW + 30 * SECOND) == [ACCOUNT, RETIRED]


@pytest.mark.parametrize(
    ("gate", "free"),
    [
        (a_gate(code="bad_key"), True),
        (a_gate(code="insufficient_credits"), True),
        (a_gate(code="spend_limit"), False),
        (a_gate(code="forbidden"), False),
        (RETIRED, False),
        (STORAGE, True),
    ],
    ids=lambda value: value.code if isinstance(value, Gate) else str(value),
)
def test_key_credit_and_storage_are_probed_for_free(gate: Gate, free: bool) -> None:
    """The rest costs one real job."""
    assert rules.is_free(gate) is free
