"""`ttsq spend`, `credits`, `quote` and `budget`, as people and scripts see them. On both databases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from api_models.speech import JobRequest
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.factories import MODEL, NOW, OTHER_MODEL, add_attempt, add_batch, add_job, add_worker
from tests.terminal import Ttsq
from worker.cli.money.estimate import ENOUGH_TEXTS
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.store import account
from worker.store.account import PaceState
from worker.store.database import Database
from worker.store.money import balances, budgets

TEXTS = [f"This is text number {number}." for number in range(1, 5)]


@pytest.fixture
def emulator(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An account with a few cents."""
    assert ttsq is not None
    with Emulator(EmulatorConfig(credits=Decimal("0.0185"), free_credits=Decimal("0.0015"))) as running:
        monkeypatch.setenv("SEGMIND_BASE_URL", running.base_url)
        yield running


@pytest.fixture
def texts() -> Path:
    """Four texts, one of them twice."""
    path = Path("texts.txt")
    path.write_text("\n".join([*TEXTS, TEXTS[0]]) + "\n", encoding="utf-8")
    return path


def fingerprint(text: str, origin: str) -> str:
    """Of a text that leaves everything else open."""
    return JobRequest(text=text).fingerprint(origin=origin, audio_format="wav")


# --- spend


def test_spend_has_a_line_for_each_day_and_a_total(ttsq: Ttsq, queue: Database) -> None:
    """Exact to the last digit, in line, with what was possibly billed said beside it."""
    with queue.begin() as connection:
        add_attempt(connection, cost=Decimal("0.006712345678"))
        add_attempt(connection, cost=Decimal("0.005"), cost_estimated=True, finished_at=NOW.replace(day=22))
        add_attempt(connection, cost=Decimal(0), verdict=VerdictKind.LOST, possibly_billed=True)
    shown = ttsq("spend")
    lines = [line.split() for line in shown.out.splitlines()]
    assert lines[1:] == [
        ["2026-11-21", "2", "$0.006712345678", "$0.0000", "1", "0", "$0.0000"],
        ["2026-11-22", "1", "$0.005000000000", "$0.0050", "0", "0", "$0.0000"],
        ["total", "3", "$0.011712345678", "$0.0050", "1", "0", "$0.0000"],
    ]
    assert "1 call ended without a response" in shown.err
    total = ttsq("spend", "--by", "model", "--json").data["total"]
    assert (total["paid"], total["estimated"], total["possibly_billed"]) == ("0.011712345678", "0.005", 1)


def test_spend_by_batch_names_it(ttsq: Ttsq, queue: Database) -> None:
    """Beside the beginning of its id."""
    with queue.begin() as connection:
        batch = add_batch(connection, name="letters.csv")
        add_attempt(connection, batch_id=batch)
        add_attempt(connection)
    lines = [line.split() for line in ttsq("spend", "--by", "batch").out.splitlines()]
    assert lines[1][:3] == [str(batch)[:13], "letters.csv", "1"]
    assert lines[2][:3] == ["no", "batch", "1"]
    (first, _) = ttsq("spend", "--by", "batch", "--json").data["lines"]
    assert (first["key"], first["name"]) == (str(batch), "letters.csv")


def test_spend_can_be_narrowed_to_days_and_tenants(ttsq: Ttsq, queue: Database) -> None:
    """Both ends belong to it."""
    with queue.begin() as connection:
        for day in (20, 21, 22):
            add_attempt(connection, finished_at=NOW.replace(day=day), tenant="north")
        add_attempt(connection)
    found = ttsq("spend", "--since", "2026-11-20", "--until", "2026-11-21", "--tenant", "north", "--json").data
    assert [line["key"] for line in found["lines"]] == ["2026-11-20", "2026-11-21"]
    assert ttsq("spend", "--since", "2027-01").out == "Nothing spent in this selection.\n"


@pytest.mark.usefixtures("queue")
def test_nothing_spent_is_said_so(ttsq: Ttsq) -> None:
    """Rather than an empty table."""
    assert ttsq("spend").out == "Nothing spent yet.\n"
    assert ttsq("spend", "--json").data["total"]["paid"] == "0"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--since", "yesterday"), '--since: "yesterday" is neither a day nor a month'),
        (("--until", "2026-02-30"), '--until: "2026-02-30" is not in the calendar'),
        (("--since", "2026-05", "--until", "2026-04"), '--until: "2026-04" ends before --since 2026-05 begins'),
        (("--by", "year"), '"year" is not one of day,'),
    ],
)
def test_spend_asked_wrongly_says_what_would_be_right(ttsq: Ttsq, arguments: Sequence[str], words: str) -> None:
    """Without looking at any queue."""
    shown = ttsq("spend", *arguments)
    assert shown.code == 2
    assert words in shown.err


# --- credits


def test_credits_shows_the_balance_and_what_it_pays_for(ttsq: Ttsq, queue: Database, emulator: Emulator) -> None:
    """By what calls really cost, once enough of them were seen; and the balance that the workers saw last."""
    with queue.begin() as connection:
        balances.note(connection, Decimal("0.5"), NOW)
        for number in range(ENOUGH_TEXTS):
            add_attempt(connection, number=number, model=OTHER_MODEL, cost=Decimal("0.01"))
    found = ttsq("credits", "--json").data
    assert (found["balance"], found["paid"], found["free"]) == ("0.02", "0.0185", "0.0015")
    assert (found["last_seen"], found["last_seen_at"]) == ("0.5", "2026-11-21T10:00:00Z")
    assert [(one["model"], one["price"], one["texts_seen"], one["calls"]) for one in found["models"]] == [
        (MODEL, "0.0067", None, 2),
        (OTHER_MODEL, "0.01", ENOUGH_TEXTS, 2),
    ]
    shown = ttsq("credits")
    for words in ("$0.0200 ($0.0185 paid, $0.0015 free)", f"2 calls of {MODEL}", "list price", "$0.5000 by the"):
        assert words in shown.out
    assert f"mean of last {ENOUGH_TEXTS} texts" in shown.out
    assert emulator.state().calls == 0


@pytest.mark.usefixtures("emulator")
def test_credits_needs_no_queue(ttsq: Ttsq, tmp_path: Path) -> None:
    """And makes none."""
    assert ttsq("credits").code == 0
    assert not (tmp_path / ".ttsq").exists()


def test_credits_says_why_the_api_does_not_answer(
    ttsq: Ttsq, queue: Database, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, but the workers' last report is still shown."""
    with queue.begin() as connection:
        balances.note(connection, Decimal("0.5"), NOW)
    emulator.admin.account(key_valid=False)
    shown = ttsq("credits")
    assert (shown.code, "$0.5000 by the workers" in shown.out) == (2, True)
    assert "doesn't accept the API key" in shown.err
    monkeypatch.setenv("SEGMIND_BASE_URL", "http://127.0.0.1:9")
    assert "can't be reached" in ttsq("credits").err
    monkeypatch.delenv("SEGMIND_API_KEY")
    assert "SEGMIND_API_KEY is not set" in ttsq("credits").err


# --- quote


def test_a_quote_counts_what_has_to_be_bought(ttsq: Ttsq, queue: Database, emulator: Emulator, texts: Path) -> None:
    """A text that some job bought, and the second of two equal ones, cost nothing; `--fresh` buys them all."""
    with queue.begin() as connection:
        add_job(connection, status=JobStatus.SUCCEEDED, fingerprint=fingerprint(TEXTS[1], emulator.base_url))
        add_job(connection, fingerprint=fingerprint(TEXTS[2], emulator.base_url))
    found = ttsq("quote", str(texts), "--json").data
    assert {name: found[name] for name in ("lines", "cached", "calls", "characters", "cost", "suffices")} == {
        "lines": 5,
        "cached": 2,
        "calls": 3,
        "characters": 3 * len(TEXTS[0]),
        "cost": "0.0201",
        "suffices": False,
    }
    fresh = ttsq("quote", str(texts), "--fresh", "--json").data
    assert (fresh["calls"], fresh["cost"]) == (5, "0.0335")
    assert emulator.state().calls == 0
    with queue.read() as connection:
        assert balances.last(connection) is None


def test_a_quote_goes_by_what_calls_cost_lately(ttsq: Ttsq, queue: Database, emulator: Emulator, texts: Path) -> None:
    """And says so, model by model."""
    with queue.begin() as connection:
        for number in range(ENOUGH_TEXTS):
            add_attempt(connection, number=number, cost=Decimal("0.001"))
    shown = ttsq("quote", str(texts))
    line = next(line for line in shown.out.splitlines() if line.startswith(MODEL))
    assert line.split() == f"{MODEL} 5 1 4 88 $0.0010 $0.0040 mean of last {ENOUGH_TEXTS} texts".split()
    assert "$0.0200: enough" in shown.out
    assert emulator.base_url


@pytest.mark.usefixtures("emulator")
def test_a_quote_knows_the_pace_and_the_slots(
    ttsq: Ttsq, queue: Database, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the settings where the worker is embedded; else the dispatcher's, and those of the workers alive."""
    monkeypatch.setenv("SEGMIND_RPM", "30")
    monkeypatch.setenv("TTSQ_CONCURRENCY", "7")
    found = ttsq("quote", str(texts), "--json").data
    assert (found["rpm"], found["slots"]) == (30, 7)
    monkeypatch.setenv("TTSQ_BROKER_URL", "redis://127.0.0.1:9/0")
    assert ttsq("quote", str(texts), "--json").data["slots"] is None
    with queue.begin() as connection:
        account.save_pace(connection, PaceState(rpm=90.0))
        now = queue.now(connection)
        add_worker(connection, slots=40, heartbeat_at=now)
        add_worker(connection, slots=2, heartbeat_at=now)
        add_worker(connection, slots=500, heartbeat_at=NOW.replace(year=2020))
    found = ttsq("quote", str(texts), "--json").data
    assert (found["rpm"], found["slots"]) == (90, 42)


@pytest.mark.usefixtures("emulator", "texts")
def test_a_quote_needs_no_queue(ttsq: Ttsq, tmp_path: Path) -> None:
    """And leaves nothing behind: neither a queue nor a folder."""
    shown = ttsq("quote", "texts.txt")
    assert shown.code == 0
    assert "$0.0068 short; covers about 2 of the calls" in shown.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts.txt"]


@pytest.mark.usefixtures("queue")
def test_a_quote_without_an_api_goes_by_what_the_workers_saw(ttsq: Ttsq, queue: Database, texts: Path) -> None:
    """Or says that nothing is known."""
    assert "unknown: The API can't be reached" in ttsq("quote", str(texts)).out
    with queue.begin() as connection:
        balances.note(connection, Decimal(5), NOW)
    found = ttsq("quote", str(texts), "--json").data
    assert (found["balance"], found["balance_seen_at"], found["suffices"]) == ("5", "2026-11-21T10:00:00Z", True)


@pytest.mark.usefixtures("emulator")
def test_a_quote_knows_what_the_budgets_leave(ttsq: Ttsq, queue: Database, texts: Path) -> None:
    """The tenant's month or the run's own, whichever is less."""
    with queue.begin() as connection:
        budgets.limit_month(connection, "default", Decimal("0.02"))
    shown = ttsq("quote", str(texts))
    assert "$0.0200 remaining: covers about 2 of the calls; the rest will be held" in shown.out
    assert ttsq("quote", str(texts), "--max-cost", "0.007", "--json").data["allowed"] == "0.007"
    assert ttsq("quote", str(texts), "--max-cost", "5", "--json").data["allowed"] == "0.02"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("texts.txt", "--max-cost", "5 dollars"), '--max-cost: "5 dollars" is not an amount of money'),
        (("none.txt",), "none.txt: there is no such file"),
        (("texts.txt", "--voice", "Kor"), 'did you mean "Kore"?'),
        (("texts.txt", "--model", "gemini"), "no model"),
    ],
)
@pytest.mark.usefixtures("texts")
def test_a_quote_of_a_bad_input_names_its_faults(ttsq: Ttsq, arguments: Sequence[str], words: str) -> None:
    """As `ttsq run` would."""
    shown = ttsq("quote", *arguments)
    assert shown.code == 2
    assert words in shown.err


# --- budget


@pytest.mark.usefixtures("queue")
def test_without_budgets_nothing_is_listed(ttsq: Ttsq) -> None:
    """For machines not even a line."""
    assert ttsq("budget").out.startswith("No budget is set")
    assert ttsq("budget", "--json").out == ""


def test_a_month_gets_a_budget_and_loses_it(ttsq: Ttsq, queue: Database) -> None:
    """It is listed with what is spent of it; a stranger's name is taken, but remarked on."""
    with queue.begin() as connection:
        add_batch(connection, tenant="north")
    shown = ttsq("budget", "set", "north", "$12.50", "--monthly")
    assert (shown.code, "Budget of tenant north: $12.5000" in shown.out, shown.err) == (0, True, "")
    (found,) = ttsq("budget", "--json").lines
    assert (found["tenant"], found["limit"], found["batch"], found["holds"]) == ("north", "12.5", None, False)
    assert "tenant north" in ttsq("budget").out
    assert 'did you mean "north"?' in ttsq("budget", "set", "nort", "1", "--monthly").err
    assert ttsq("budget", "clear", "north").out.startswith("Monthly budget of tenant north removed")
    assert [line["tenant"] for line in ttsq("budget", "--json").lines] == ["nort"]
    with queue.read() as connection:
        assert budgets.monthly(connection, "north") is None


def test_a_batch_gets_a_budget_and_what_it_means_is_said(ttsq: Ttsq, queue: Database) -> None:
    """Whether it jobs held or lets it go; by name, like everywhere."""
    with queue.begin() as connection:
        batch = add_batch(connection, name="letters.csv", total=2)
        add_job(connection, batch_id=batch)
        over = add_batch(connection, name="over.csv", total=1)
        add_job(connection, batch_id=over, status=JobStatus.SUCCEEDED)
    assert "remaining jobs are held" in ttsq("budget", "batch", "letters", "0.001").out
    (found,) = ttsq("budget", "--json").lines
    assert (found["batch"], found["name"], found["limit"], found["holds"]) == (str(batch), "letters.csv", "0.001", True)
    assert "jobs held" in ttsq("budget").out
    assert "to start held jobs" in ttsq("budget", "batch", "letters", "5").out
    assert "The batch has finished" in ttsq("budget", "batch", "over", "5").out
    assert "1 job queued" in ttsq("budget", "clear", "--batch", "letters.csv").out


def test_status_says_that_a_budget_holds_a_batch(ttsq: Ttsq, queue: Database) -> None:
    """That batch alone; the others wait for other things."""
    with queue.begin() as connection:
        add_worker(connection, heartbeat_at=queue.now(connection))
        batch = add_batch(connection, name="letters.csv", total=2)
        other = add_batch(connection, name="other.csv", total=1)
        for _ in range(2):
            add_job(connection, batch_id=batch)
        add_job(connection, batch_id=other)
        budgets.limit_batch(connection, batch, Decimal("0.001"))
    found = ttsq("status", "letters", "--json").data
    assert (found["held"], found["hold"]["code"], found["hold"]["name"]) == (2, "budget_used_up", f"budget:{batch}")
    assert (ttsq("status", "other", "--json").data["held"], ttsq("status", "--json").data["held"]) == (0, 2)
    assert "held by the budget: letters.csv: $0 of $0.0010 spent" in ttsq("status", "letters").out


def test_a_month_that_is_used_up_says_until_when(ttsq: Ttsq, queue: Database) -> None:
    """All batches of the tenant wait for it."""
    with queue.begin() as connection:
        add_worker(connection, heartbeat_at=queue.now(connection))
        add_job(connection, batch_id=add_batch(connection, name="letters.csv"))
        add_job(connection, tenant="south")
        budgets.limit_month(connection, "default", Decimal("0.001"))
    found = ttsq("status", "--json").data
    assert (found["held"], found["hold"]["name"], found["hold"]["until"].endswith("-01T00:00:00Z")) == (
        1,
        "budget:default",
        True,
    )
    assert "next check in" in ttsq("status", "letters").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("set", "north", "five", "--monthly"), 'DOLLARS: "five" is not an amount of money'),
        (("set", "", "5", "--monthly"), "TENANT"),
        (("set", "n" * 65, "5", "--monthly"), "is not a name of 1 to 64 characters"),
        (("batch", "letters.csv", "0"), 'DOLLARS: "0" is not above 0'),
        (("batch", "leters.csv", "5"), 'did you mean "letters.csv"?'),
        (("clear",), "no budget selected"),
        (("clear", "north", "--batch", "letters.csv"), "no budget selected"),
        (("clear", "south"), "tenant south has no monthly budget"),
    ],
)
def test_a_budget_asked_for_wrongly_changes_nothing(
    ttsq: Ttsq, queue: Database, arguments: Sequence[str], words: str
) -> None:
    """What would be right is said."""
    with queue.begin() as connection:
        add_batch(connection, name="letters.csv")
    shown = ttsq("budget", *arguments)
    assert shown.code == 2
    assert words in shown.err
    assert ttsq("budget", "--json").out == ""
