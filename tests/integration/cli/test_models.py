"""`ttsq models`, and a model of the user's own from the file to the audio."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from api_models.registry import MODELS
from tests.integration.cli import run_command
from tests.terminal import Ttsq
from tests.unit.models.models_files import EXAMPLE, NEW_PRICE, changed
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.environment import models_file

TEXT = "Hello from a model that was written for this test."


@pytest.fixture(autouse=True)
def built_in() -> Iterator[None]:
    """The registry is this process's: each test leaves the built-in one."""
    yield
    MODELS.install({})


def name(monkeypatch: pytest.MonkeyPatch, text: str) -> Path:
    """Write the file and name it in the environment, for this process and its children."""
    path = Path("models.toml").absolute()
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("TTSQ_MODELS", str(path))
    models_file.install()
    return path


def test_the_list_has_todays_prices(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of built-in and own models."""
    name(monkeypatch, EXAMPLE)
    shown = ttsq("models", "list")
    assert [line.split()[0] for line in shown.out.splitlines()[1:]] == list(MODELS)
    assert "$12.0000 a million characters" in shown.out
    listed = {line["slug"]: line for line in ttsq("models", "list", "--json").lines}
    assert listed["acme-voice"]["built_in"] is False
    assert listed["acme-voice"]["prices"][1]["valid_from"] == "2028-01-01"
    assert listed["gemini-3.1-flash-tts"]["default"] is True


def test_one_model_is_shown_with_what_is_not_certain(ttsq: Ttsq) -> None:
    """Everything but published facts carries a mark."""
    shown = ttsq("models", "show", "Gemini 3.1 flash TTS")
    marked = [line.split()[0] for line in shown.out.splitlines() if line.endswith(("(assumed)", "(reported)"))]
    assert marked == ["prices", "max_text_bytes", "max_audio_seconds", "tokens_per_second"]
    unknown = ttsq("models", "show", "gemini-3")
    assert (unknown.code, 'no model "gemini-3"' in unknown.err) == (2, True)


def test_a_file_is_checked_without_being_used(ttsq: Ttsq) -> None:
    """Every error with its line; what ends soon as a warning."""
    path = Path("models.toml")
    soon = (datetime.now(UTC) + timedelta(days=9)).date()
    path.write_text(changed("mean_seconds = 5.0", f"sunset = {soon}"), encoding="utf-8")
    good = ttsq("models", "check", "models.toml")
    assert (good.code, "no errors: acme-voice" in good.out) == (0, True)
    assert f"acme-voice ends in 9 days, on {soon}" in good.err
    path.write_text(
        changed("max_text_bytes = 2000", "max_text_bytes = -1").replace("amount = 12.00", ""), encoding="utf-8"
    )
    bad = ttsq("models", "check", "models.toml")
    assert bad.code == 2
    assert "line 7, models.acme-voice.max_text_bytes: must be at least 1" in bad.err
    assert "models.acme-voice.prices.0.amount: is missing" in bad.err
    assert ttsq("models", "check").code == 2


@pytest.mark.parametrize("kind", ["missing", "folder", "binary", "invalid"])
def test_an_unusable_file_stops_every_command(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Before anything is queued, with the file's name and a remedy."""
    path = Path("models.toml").absolute()
    monkeypatch.setenv("TTSQ_MODELS", str(path))
    match kind:
        case "folder":
            path.mkdir()
        case "binary":
            path.write_bytes(b"\xff\xfe\x00")
        case "invalid":
            path.write_text("[models.x]\ntitle = 1\n", encoding="utf-8")
    Path("texts.txt").write_text("Hello.\n", encoding="utf-8")
    for command in (("models", "list"), ("voices",), ("run", "texts.txt"), ("doctor",)):
        shown = ttsq(*command)
        assert shown.code == 2
        assert "models.toml" in shown.out + shown.err
        assert "Traceback" not in shown.err
    assert not Path(".ttsq").exists()


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_an_own_model_speaks_and_its_bill_is_kept(monkeypatch: pytest.MonkeyPatch, api: str) -> None:
    """Over either API: its parameters, its price by the character, and no built-in model's rules."""
    name(monkeypatch, changed('["v1"]', f'["{api}"]'))
    Path("texts.csv").write_text(f'custom_id,text,model,voice_1\none,"{TEXT}",acme-voice,Bob\n', encoding="utf-8")
    with Emulator(EmulatorConfig(latency_seconds=0.02)) as emulator:
        monkeypatch.setenv("SEGMIND_BASE_URL", emulator.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", emulator.key)
        shown = run_command.ttsq("run", "texts.csv", "--out", "spoken", "--json")
        bills = emulator.state(detail=True).bill
    assert shown.code == 0, shown.err
    price = Decimal(12) * len(TEXT) / 1_000_000
    assert [(bill.model, bill.cost) for bill in bills] == [("acme-voice", price)]
    assert Decimal(shown.data["cost"]) == price
    assert run_command.seconds_of(Path("spoken/one.wav")) > 1
    with sqlite3.connect(".ttsq/ttsq.db") as database:
        ledger = database.execute("SELECT model, cost, cost_estimated FROM attempts").fetchall()
    assert ledger == [("acme-voice", int(price * 10**12), 0)]


def test_quotes_use_the_row_of_the_day(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the length of the text where the price grows with it."""
    today = datetime.now(UTC).date()
    dated = NEW_PRICE.replace("2026-12-31", str(today - timedelta(days=1))).replace("2027-01-01", str(today))
    name(monkeypatch, EXAMPLE + dated)
    Path("texts.csv").write_text(f'text,model\n"{TEXT}",acme-voice\n"{TEXT}",\n', encoding="utf-8")
    parts = {part["model"]: part for part in ttsq("quote", "texts.csv", "--json").data["models"]}
    assert Decimal(parts["acme-voice"]["cost"]) == Decimal(12) * len(TEXT) / 1_000_000
    assert Decimal(parts["gemini-3.1-flash-tts"]["cost"]) == Decimal("0.0134")


def test_the_doctor_warns_of_an_end(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the successor."""
    soon = (datetime.now(UTC) + timedelta(days=30)).date()
    name(monkeypatch, changed("mean_seconds = 5.0", f'sunset = {soon}\nsuccessor = "gemini-3.1-flash-tts"'))
    found = {check["name"]: check for check in ttsq("doctor", "--json").data["checks"]}
    assert (found["models"]["level"], found["models"]["remedy"]) == ("warning", "change to gemini-3.1-flash-tts")
