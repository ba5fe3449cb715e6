"""`ttsq gates`: what holds the queue, and opening and closing it by hand. On both databases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from api_models.status import JobStatus
from api_models.verdict import GateScope
from tests.factories import MODEL, OTHER_MODEL, a_gate, add_gate, add_job
from tests.terminal import Ttsq
from worker.store import account
from worker.store.account import OPERATOR
from worker.store.database import Database

WORDS = "Insufficient credits: 0.001 left, 0.0067 needed"


def soon() -> datetime:
    """A time ahead of every clock."""
    return datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.usefixtures("queue")
def test_an_open_account_has_nothing_to_show(ttsq: Ttsq) -> None:
    """And says so; for machines there is no line."""
    assert ttsq("gates").out.startswith("No gate is closed")
    assert ttsq("gates", "--json").out == ""


def test_a_closed_gate_is_shown_with_its_reason_and_its_next_probe(ttsq: Ttsq, queue: Database) -> None:
    """In the API's words, with what it costs to look again, and how many jobs it holds."""
    with queue.begin() as connection:
        add_gate(connection, a_gate(message=WORDS, next_probe_at=soon(), probes=3))
        add_gate(connection, a_gate(model=OTHER_MODEL, code="model_retired", next_probe_at=soon()))
        add_job(connection, model=MODEL)
        add_job(connection, model=OTHER_MODEL)
        add_job(connection, model=MODEL, status=JobStatus.RUNNING)
    shown = ttsq("gates").out
    for words in (WORDS, "closed since", "free check in", "3 probes so far", "2 jobs", "1 job\n"):
        assert words in shown
    assert "probe with one job in" in shown
    found = {line["name"]: line for line in ttsq("gates", "--json").lines}
    assert {name: (line["code"], line["probes"], line["waiting"]) for name, line in found.items()} == {
        "account": ("insufficient_credits", 3, 2),
        f"model:{OTHER_MODEL}": ("model_retired", 0, 1),
    }
    assert found["account"]["next_probe_at"].endswith("Z")


def test_gates_that_were_closed_once_are_shown_on_request(ttsq: Ttsq, queue: Database) -> None:
    """Otherwise they are only counted."""
    with queue.begin() as connection:
        add_gate(connection, a_gate(message=WORDS), closed=False)
    shown = ttsq("gates")
    assert "No gate is closed" in shown.out
    assert "1 open gate not shown" in shown.err
    assert "open, last closed at" in ttsq("gates", "--all").out
    (found,) = ttsq("gates", "--all", "--json").lines
    assert (found["closed"], found["next_probe_at"], found["message"]) == (False, None, WORDS)


def test_a_gate_is_opened_by_hand(ttsq: Ttsq, queue: Database) -> None:
    """With what happens next; what is open already is left alone."""
    with queue.begin() as connection:
        add_gate(connection, a_gate())
        add_gate(connection, a_gate(model=MODEL, code="forbidden"))
        add_job(connection)
    shown = ttsq("gates", "open", "account")
    assert shown.code == 0
    assert shown.out.startswith("account is open. 1 job queued: ")
    assert "closes the gate again" in shown.out
    assert f"Still closed: model:{MODEL}" in shown.err
    assert ttsq("gates", "open", MODEL).out.startswith(f"model:{MODEL} is open.")
    assert ttsq("gates", "open", f"model:{MODEL}").out == f"model:{MODEL} is not closed.\n"
    with queue.read() as connection:
        assert account.closed_gates(connection) == []


def test_a_queue_is_held_by_hand(ttsq: Ttsq, queue: Database) -> None:
    """Until a hand opens it; nothing says that it would be looked at again."""
    with queue.begin() as connection:
        add_job(connection)
        add_job(connection, status=JobStatus.RUNNING)
    shown = ttsq("gates", "close", "account", "--reason", "moving\nhouse")
    assert (shown.code, "1 call in flight will finish" in shown.out) == (0, True)
    for command in (("gates",), ("status",)):
        assert "closed by hand: moving house" in ttsq(*command).out
        assert "looked at again" not in ttsq(*command).out
    (found,) = ttsq("gates", "--json").lines
    assert (found["code"], found["next_probe_at"]) == ("operator", None)
    assert ttsq("gates", "open", "account").code == 0
    assert ttsq("gates", "--json").out == ""


def test_a_hand_outweighs_what_closed_it_before(ttsq: Ttsq, queue: Database) -> None:
    """A gate closed by an error, then by hand, keeps the manual reason; later errors don't replace it."""
    with queue.begin() as connection:
        add_gate(connection, a_gate(message=WORDS, probes=7))
    shown = ttsq("gates", "close", "account")
    assert WORDS in shown.err
    with queue.begin() as connection:
        account.still_closed(connection, "account", code="bad_key", message="The key is wrong.")
        (gate,) = account.closed_gates(connection)
    assert (gate.code, gate.message, gate.probes) == (OPERATOR, "closed by hand", 0)


def test_one_model_is_held_by_hand(ttsq: Ttsq, queue: Database) -> None:
    """The others go on."""
    assert f"No job of {OTHER_MODEL} starts" in ttsq("gates", "close", OTHER_MODEL).out
    with queue.read() as connection:
        (gate,) = account.closed_gates(connection)
    assert (gate.name, gate.scope, gate.model) == (f"model:{OTHER_MODEL}", GateScope.MODEL, OTHER_MODEL)


def test_opening_and_closing_by_hand_are_events(ttsq: Ttsq, queue: Database) -> None:
    """Once each, and no word of a log comes between the command's own."""
    assert queue is not None
    assert len(ttsq("gates", "close", "account", "-r", "lunch").out.splitlines()) == 1
    assert len(ttsq("gates", "open", "account").out.splitlines()) == 1
    ttsq("gates", "open", "account")
    found = [(line["type"], line["subject"], line["data"]["code"]) for line in ttsq("events", "--json").lines]
    assert found == [("account.held", "account", "operator"), ("account.released", "account", "operator")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("open", "acount"), 'did you mean "account"?'),
        (("open", "gemini-2.5-flash"), f'did you mean "{OTHER_MODEL}"?'),
        (("open", "model:gemini-2.5-flash"), f'did you mean "{OTHER_MODEL}"?'),
        (("close", "everything"), f"gates: account, storage, model:{MODEL}"),
        (("close", "storage"), "`ttsq gates close account` holds all jobs"),
        (("open", ""), "no gate"),
    ],
)
def test_an_unknown_gate_changes_nothing(
    ttsq: Ttsq, on_sqlite: Database, monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str], words: str
) -> None:
    """The message suggests the closest name, and lists all of them."""
    monkeypatch.setenv("TTSQ_DATABASE_URL", on_sqlite.url.render_as_string())
    shown = ttsq("gates", *arguments)
    assert shown.code == 2
    assert words in shown.err
    with on_sqlite.read() as connection:
        assert account.known_gates(connection) == []
