"""Gates: what closed ones hold, which attempts close and open them, and when they are probed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api_models.verdict import GateScope, VerdictKind
from tests.factories import MODEL, NOW, OTHER_MODEL, a_gate, an_ended
from worker.dispatch import gates
from worker.store.account import Gate

SECOND = timedelta(seconds=1)
ACCOUNT = a_gate()
STORAGE = a_gate(scope=GateScope.STORAGE, code="no_space")
RETIRED = a_gate(scope=GateScope.MODEL, model=OTHER_MODEL, code="model_retired")


def test_no_closed_gate_holds_nothing() -> None:
    """An open house."""
    assert gates.blocked([]) == gates.Blocked(everything=False, models=frozenset())


@pytest.mark.parametrize("gate", [ACCOUNT, STORAGE], ids=lambda gate: gate.name)
def test_account_and_storage_hold_everything(gate: Gate) -> None:
    """No key, no credit, or nowhere to put audio: no job starts."""
    assert gates.blocked([RETIRED, gate]).everything


def test_a_model_gate_holds_its_model_alone() -> None:
    """Other models go on."""
    assert gates.blocked([RETIRED]) == gates.Blocked(everything=False, models=frozenset({OTHER_MODEL}))


@pytest.mark.parametrize("verdict", sorted(set(VerdictKind) - gates.LET_THROUGH))
def test_only_a_call_that_was_let_through_opens_a_gate(verdict: VerdictKind) -> None:
    """A refusal, a retry or a copy says nothing about whether the account takes calls again."""
    assert gates.opened_by(an_ended(verdict=verdict, started_at=NOW + SECOND), [ACCOUNT, RETIRED]) == []


@pytest.mark.parametrize("verdict", sorted(gates.LET_THROUGH))
def test_a_gate_opens_only_on_proof_begun_after_its_closing(verdict: VerdictKind) -> None:
    """A call that was under way when the gate closed proves nothing, even if it ended later."""
    for started, opened in ((NOW - SECOND, []), (NOW, []), (NOW + SECOND, [ACCOUNT])):
        proof = an_ended(verdict=verdict, started_at=started, finished_at=NOW + 60 * SECOND)
        assert gates.opened_by(proof, [ACCOUNT]) == opened


def test_a_success_opens_its_own_model_and_the_account_and_never_the_storage() -> None:
    """Audio that was bought says nothing about where it can be put, nor about other models."""
    here = a_gate(scope=GateScope.MODEL, model=MODEL, code="forbidden")
    proof = an_ended(model=MODEL, started_at=NOW + SECOND)
    assert gates.opened_by(proof, [ACCOUNT, STORAGE, RETIRED, here]) == [ACCOUNT, here]


def test_only_a_gate_verdict_with_a_scope_closes_a_gate() -> None:
    """The name says which one."""
    trouble = {"verdict": VerdictKind.GATE, "model": OTHER_MODEL}
    assert gates.closed_by(an_ended(scope=GateScope.ACCOUNT, **trouble)) == "account"
    assert gates.closed_by(an_ended(scope=GateScope.MODEL, **trouble)) == f"model:{OTHER_MODEL}"
    assert gates.closed_by(an_ended(scope=None, **trouble)) is None
    assert gates.closed_by(an_ended(scope=GateScope.ACCOUNT, verdict=VerdictKind.LATE)) is None


def test_the_wait_before_a_probe_doubles_up_to_its_cap() -> None:
    """30 s, 1 min, 2 min … half an hour, and half an hour from then on."""
    waits = [gates.wait_before_probe(probes, 30).total_seconds() for probes in range(12)]
    assert waits[:7] == [30, 60, 120, 240, 480, 960, 1_800]
    assert set(waits[7:]) == {gates.PROBE_CAP_SECONDS}


def test_a_probe_is_due_from_its_time_on() -> None:
    """Not a moment earlier."""
    assert gates.due_probes([ACCOUNT], NOW + 29 * SECOND) == []
    assert gates.due_probes([ACCOUNT, RETIRED], NOW + 30 * SECOND) == [ACCOUNT, RETIRED]


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
    assert gates.is_free(gate) is free
