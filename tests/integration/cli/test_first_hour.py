"""What a first hour stumbles over: names in the place of ids, months, prompts above five dollars, dead brokers."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.factories import add_batch, add_job
from tests.integration.cli.test_asking import at_a_terminal
from tests.terminal import Ttsq
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator
from worker.schedules.options import Options
from worker.store import schedules
from worker.store.database import Database


def test_a_job_is_found_by_its_name(ttsq: Ttsq, queue: Database) -> None:
    """The newest of them, with a hint that there are others; in a batch, that one's."""
    with queue.begin() as connection:
        old = add_batch(connection, name="old.csv", total=1)
        new = add_batch(connection, name="new.csv", total=1)
        first = add_job(connection, batch_id=old, custom_id="intro")
        second = add_job(connection, batch_id=new, custom_id="intro")
        alone = add_job(connection, custom_id="order-17")
    shown = ttsq("jobs", "show", "intro", "--json")
    assert shown.data["id"] == str(second)
    assert "1 older job with this custom_id" in shown.err
    assert ttsq("jobs", "show", "intro", "--batch", "old", "--json").data["id"] == str(first)
    assert ttsq("jobs", "show", "order-17", "--json").data["id"] == str(alone)
    assert ttsq("jobs", "cancel", "order-17", "--json").data["jobs"] == 1
    ambiguous = ttsq("jobs", "cancel", "intro")
    assert (ambiguous.code, str(first) in ambiguous.err) == (2, True)
    missing = ttsq("jobs", "show", "outro")
    assert (missing.code, "no job with the id or custom_id" in missing.err) == (2, True)


@pytest.mark.usefixtures("queue")
def test_a_tenants_budget_is_per_month_without_saying_so(ttsq: Ttsq) -> None:
    """The option of earlier versions is still accepted."""
    assert "per calendar month" in ttsq("budget", "set", "acme", "50").out
    assert ttsq("budget", "set", "acme", "60", "--monthly", "--json").data["limit"] == "60"


@pytest.mark.parametrize(("texts", "question"), [(700, "Continue? [Y/n] "), (800, "Continue? [y/N] ")])
def test_above_five_dollars_enter_means_no(texts: int, question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """About $0.0067 a call: $4.69 may be confirmed by Enter, $5.36 may not."""
    Path("many.txt").write_text("".join(f"This is text {number}.\n" for number in range(texts)), encoding="utf-8")
    with Emulator(EmulatorConfig(credits=Decimal(100))) as running:
        monkeypatch.setenv("SEGMIND_BASE_URL", running.base_url)
        monkeypatch.setenv("SEGMIND_API_KEY", running.key)
        with at_a_terminal("run", "many.txt") as command:
            command.read_until(question)
            command.answer("n\n" if "Y/n" in question else "\n")
            assert command.end() == 130
        assert running.state().calls == 0


@pytest.mark.usefixtures("queue")
def test_a_run_looks_for_its_broker_before_it_stores(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is queued where no worker could be woken."""
    monkeypatch.setenv("TTSQ_BROKER_URL", "redis://:secret@127.0.0.1:9/0")
    Path("texts.txt").write_text("Good night.\n", encoding="utf-8")
    refused = ttsq("run", "texts.txt", "--yes")
    assert refused.code == 2
    assert "the broker does not answer: redis://127.0.0.1:9/0" in refused.err
    assert "nothing was queued or charged" in refused.err
    assert "secret" not in refused.err
    assert ttsq("jobs", "list", "--json").out == ""


@pytest.mark.usefixtures("queue")
def test_a_schedule_takes_the_options_of_a_run(ttsq: Ttsq, queue: Database) -> None:
    """And keeps them; a deadline may count from each run."""
    Path("night.csv").write_text("text\nGood night.\n", encoding="utf-8")
    made = ttsq(
        "schedule", "add", "nightly", "night.csv", "--cron", "0 2 * * *", "--max-cost", "2.50", "--format", "mp3",
        "--mp3-bitrate", "128k", "--artist", "Ann", "--priority", "5", "--tag", "news", "--expires-after", "30d",
        "--deadline", "6h", "--key-template", "{batch}/{line:04}.{ext}", "--on-invalid", "skip", "--fresh", "--json",
    )  # fmt: skip
    assert made.code == 0, made.err
    assert made.data["name"] == "nightly"
    with queue.read() as connection:
        kept = schedules.by_name(connection, "default", "nightly")
    assert kept is not None
    options = Options.read(kept.options)
    assert json.loads(kept.options)["max_cost"] == "2.50"
    assert (options.budget, options.skip_invalid, options.use_cache) == (Decimal("2.50"), True, False)
    assert (options.defaults.mp3_bitrate, options.defaults.artist, options.defaults.tags) == ("128k", "Ann", ("news",))
    for wrong, words in (
        (("--max-cost", "much"), "--max-cost"),
        (("--format", "mp4"), "--format: no format"),
        (("--mp3-bitrate", "192k"), "--mp3-bitrate: 192k does not exist at 24000 Hz"),
        (("--key-template", "{nothing"), "--key-template"),
    ):
        refused = ttsq("schedule", "add", "other", "night.csv", "--cron", "0 2 * * *", *wrong)
        assert (refused.code, words in refused.err) == (2, True), refused.err


@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--voice", "Korre"), '--voice: no voice "Korre"; did you mean "Kore"?'),
        (("--mp3-bitrate", "192k"), "--mp3-bitrate: 192k does not exist at 24000 Hz; set the sample rate to 44100"),
        (("--format", "wav", "--mp3-bitrate", "128k"), "--mp3-bitrate: applies to mp3"),
        (("--sample-rate", "44000"), '--sample-rate: "44000" is no sample rate; choose one of 8000,'),
        (("--track", "first"), '--track: "first" is no track number'),
        (("--title", "The ferry"), "--title: applies to MP3s only; add --format mp3"),
        (("--tag", "two words"), "--tag: must be 1 to 64 letters"),
    ],
)
def test_a_wrong_default_is_named_by_its_option(ttsq: Ttsq, arguments: tuple[str, ...], words: str) -> None:
    """As it was typed, not by the field of the row."""
    Path("texts.txt").write_text("Good night.\n", encoding="utf-8")
    refused = ttsq("run", "texts.txt", *arguments)
    assert (refused.code, words in refused.err) == (2, True), refused.err


def test_after_a_rehearsal_its_queue_is_named(ttsq: Ttsq) -> None:
    """A rehearsal leaves a queue, but not the one that the other commands look at."""
    Path("texts.txt").write_text("Good night.\n", encoding="utf-8")
    assert "--rehearse" not in ttsq("status").err
    assert ttsq("run", "texts.txt", "--rehearse", "--quiet").code == 0
    missing = ttsq("status")
    assert (missing.code, "TTSQ_DATABASE_URL=sqlite:///.ttsq/rehearsal/ttsq.db" in missing.err) == (2, True), missing


def test_a_mistyped_file_is_suggested(ttsq: Ttsq) -> None:
    """From the same folder."""
    Path("texts.txt").write_text("Good night.\n", encoding="utf-8")
    assert 'text.txt: there is no such file; did you mean "texts.txt"?' in ttsq("run", "text.txt").err


def test_a_key_template_names_any_column_as_the_sheet_spells_it(ttsq: Ttsq, tmp_path: Path) -> None:
    """Those that are fields, those that are not, the line and the text."""
    Path("lines.csv").write_text("ID,Script,Voice,Scene\na,Good morning all.,kore,1\nb,Bye.,puck,2\n", encoding="utf-8")
    template = "{Scene}/{Voice}/{line:04}-{Script:7}.{ext}"
    shown = ttsq("run", "lines.csv", "--rehearse", "--out", "out", "--quiet", "--key-template", template)
    assert shown.code == 0, shown.err
    assert {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").glob("[!.]*/*/*.wav")} == {
        "1/Kore/0002-Good mo.wav",
        "2/Puck/0003-Bye.wav",
    }
    wrong = ttsq("run", "lines.csv", "--rehearse", "--key-template", "{Scen}/{line}-x.{ext}")
    assert (wrong.code, "columns of the sheet: Scene" in wrong.err) == (2, True), wrong
