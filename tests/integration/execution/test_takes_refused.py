"""Takes that are judged: bad ones are refused, kept for listening and bought again; good ones are measured."""

from __future__ import annotations

import csv
import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.attempt_harness import BOUNDS, PRICE, Workshop, as_it_came
from worker.audio.gate import GateLimits
from worker.audio.measurement import measure
from worker.audio.take import accept
from worker.concurrency.futures import run_here
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Take
from worker.emulator.voice.synthesis import Utterance, speak
from worker.emulator.voice.wav import wav
from worker.execution.acceptance import Accepted, Refused, judged
from worker.execution.encoding import sound_of
from worker.execution.settlements import Cost
from worker.execution.spool import Receipt

SUCCEEDED, FAILED, QUEUED = JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.QUEUED
TEXT: Final = "The ferry leaves at noon, and the bakery behind the harbour opens at six, as it has for forty years."
EXAMPLES: Final = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def config() -> EmulatorConfig:
    """It speaks."""
    return EmulatorConfig()


@pytest.fixture
def limits() -> GateLimits:
    """Takes are judged."""
    return GateLimits()


BAD: Final = {
    Take.TRUNCATED: "too_short",
    Take.SILENT: "silent",
    Take.REPEATED: "repeated",
    Take.SILENT_TAIL: "mostly_silent",
}


@pytest.mark.parametrize("take", BAD)
def test_a_bad_take_is_refused_kept_and_bought_again(shop: Workshop, take: Take) -> None:
    """The ledger says what was measured, what it cost and where it lies; the job ends with a good one."""
    shop.script(take=take, times=1)
    job = shop.job(text=TEXT, custom_id="intro")
    first = shop.run(job)
    assert (first.status, first.takes_used, first.cost, first.uri) == (QUEUED, 1, PRICE, None)
    refused = shop.audio / f"default/jobs/refused/{job}.1.wav"
    (attempt,) = shop.books(job)
    assert (attempt.verdict, attempt.code, attempt.take_uri) == (VerdictKind.BAD_TAKE, "bad_audio", refused.as_uri())
    assert f"flaw {BAD[take]};" in attempt.detail
    assert "dBFS" in attempt.detail
    assert accept(refused).frames > 0
    row = shop.run(job)
    assert (row.status, row.cost, row.takes_used) == (SUCCEEDED, 2 * PRICE, 1)
    assert row.uri == shop.file(job).as_uri()
    assert shop.emulator.state().billed == row.cost
    assert shop.spooled() == []


def test_the_last_bad_take_fails_the_job_with_what_was_measured(shop_on_both: Workshop) -> None:
    """All of them are kept, side by side."""
    shop = shop_on_both
    shop.script(take=Take.TRUNCATED, share=0.2)
    job = shop.job(text=TEXT, custom_id="intro")
    rows = [shop.run(job) for _ in range(BOUNDS.max_takes)]
    assert [row.status for row in rows] == [QUEUED, QUEUED, FAILED]
    last = rows[-1]
    assert (last.code, last.cost) == ("bad_audio", 3 * PRICE)
    assert "s of sound, where the text takes at least" in last.message
    assert "flaw too_short; length 1." in last.detail
    assert "LUFS" in last.detail
    uris = [attempt.take_uri for attempt in shop.books(job)]
    assert uris == [(shop.audio / f"default/jobs/refused/{job}.{number}.wav").as_uri() for number in (1, 2, 3)]
    assert not shop.file(job).exists()


@pytest.mark.parametrize("take", [Take.HEADER_ONLY, Take.EMPTY])
def test_nothing_is_kept_where_there_is_nothing_to_hear(shop: Workshop, take: Take) -> None:
    """The call is still charged."""
    shop.script(take=take, times=1)
    job = shop.job(text=TEXT)
    assert shop.run(job).cost == PRICE
    assert shop.books(job)[0].take_uri is None
    assert not (shop.audio / "default/jobs/refused").exists()


def test_a_take_that_cannot_be_kept_holds_up_nothing(shop: Workshop) -> None:
    """The folder for refused takes can't be made: the error is logged, and the job proceeds."""
    (shop.audio / "default/jobs").mkdir(parents=True)
    (shop.audio / "default/jobs/refused").write_text("in the way")
    shop.script(take=Take.TRUNCATED, times=1)
    job = shop.job(text=TEXT, custom_id="intro")
    with capture_logs() as logs:
        shop.run(job)
    assert "refused_take_lost" in {line["event"] for line in logs}
    assert shop.books(job)[0].take_uri is None
    assert shop.run(job).status == SUCCEEDED
    assert shop.gates() == []


def test_refused_takes_of_a_run_lie_in_a_folder_of_their_own(shop: Workshop) -> None:
    """A run's own folder holds good takes only."""
    out = shop.folder / "out"
    shop.script(take=Take.SILENT, times=1)
    job = shop.job(batch_id=shop.batch(output_url=out.as_uri()), custom_id="0007", text=TEXT)
    shop.run(job)
    shop.run(job)
    assert [path.name for path in sorted(out.glob("*.wav"))] == ["0007.wav"]
    assert [path.name for path in (out / "refused").iterdir()] == ["0007.1.wav"]


@pytest.mark.parametrize("name", ["a", "a.1", "refused", "a.refused-1", "refused%2Fa.1"])
def test_no_job_has_its_audio_where_refused_takes_go(shop: Workshop, name: str) -> None:
    """Whatever names producers choose."""
    destinations, batch = {}, shop.batch()
    for custom_id in ("a", "a.1", "a.1.1", "refused", "refused/a.1", "refused%2Fa.1", "a.refused-1"):
        claim = shop.claim(shop.job(batch_id=batch, custom_id=custom_id))
        destinations[custom_id] = shop.executor.context.destinations.for_claim(claim)
    refused = {destinations[name].refused_key(attempt, "wav") for attempt in range(1, 15)}
    assert len(refused) == 14
    assert not refused & {destination.key for destination in destinations.values()}


def test_damaged_audio_is_kept_as_it_came(shop: Workshop, tmp_path: Path) -> None:
    """An incomplete file may still be playable: it keeps its own format and type."""
    path = tmp_path / "take.audio"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(2_000))
    found = judged(path, TEXT, GateLimits(), shop.executor.pools.codecs)
    assert isinstance(found, Refused)
    assert (found.path, found.container.extension, found.measured) == (path, "m4a", "flaw unsupported")
    job = shop.job(recover=True, attempt=1, custom_id="a")
    shop.spool.path_for(job, 1).write_bytes(path.read_bytes())
    shop.run(job)
    (attempt,) = shop.books(job)
    assert attempt.take_uri == (shop.audio / f"default/jobs/refused/{job}.2.m4a").as_uri()
    kept = shop.store.head(f"default/jobs/refused/{job}.2.m4a")
    assert kept is not None
    assert kept.content_type == "audio/mp4"


def test_two_answers_in_a_form_that_cannot_be_read_end_the_job(shop_on_both: Workshop) -> None:
    """A third would be the same; what was kept of them may be read by another program."""
    shop = shop_on_both
    noise = random.Random(1).randbytes(4_000)
    job = shop.job(recover=True, attempt=1, custom_id="a")
    shop.spool.path_for(job, 1).write_bytes(noise)
    assert shop.run(job).status == QUEUED
    shop.spool.path_for(job, 2).write_bytes(noise)
    row = shop.run(job)
    assert (row.status, row.takes_used, row.code) == (FAILED, 2, "bad_audio")
    assert "the previous take had the same flaw, so no more are bought" in row.message
    assert all(attempt.take_uri for attempt in shop.books(job))


def test_answers_that_differ_in_what_is_wrong_are_takes_like_others(shop_on_both: Workshop) -> None:
    """One may have been damaged on its way."""
    shop = shop_on_both
    job = shop.job(recover=True, attempt=1, custom_id="a", text=TEXT)
    shop.spool.path_for(job, 1).write_bytes(wav(bytes(96_000)))
    assert shop.run(job).status == QUEUED
    shop.spool.path_for(job, 2).write_bytes(random.Random(1).randbytes(4_000))
    assert shop.run(job).status == QUEUED


def test_a_success_records_how_it_sounds(shop_on_both: Workshop) -> None:
    """Duration, peak, loudness and silence are those of the very file that is stored."""
    shop = shop_on_both
    row = shop.run(shop.job(text=TEXT, custom_id="a"))
    take = accept(shop.file(row.id))
    found = sound_of(measure(take))
    assert (row.peak_dbfs, row.loudness_lufs, row.silence_share) == (
        found.peak_dbfs,
        found.loudness_lufs,
        found.silence_share,
    )
    assert row.duration_ms == take.duration_ms
    assert -30 < row.loudness_lufs < row.peak_dbfs < 0 <= row.silence_share < 0.6


def test_how_it_sounds_survives_recovery_and_copying(shop_on_both: Workshop) -> None:
    """Nothing is measured again: recovery reads the object's metadata, a copy reads the row."""
    shop = shop_on_both
    source = shop.run(shop.job(text=TEXT, custom_id="source"))
    figures = (source.peak_dbfs, source.loudness_lufs, source.silence_share)
    copy = shop.run(shop.job(text=TEXT))
    assert (copy.cached, copy.peak_dbfs, copy.loudness_lufs, copy.silence_share) == (True, *figures)
    job = shop.job(text="Other words.")
    claim, path = shop.claim(job), shop.file(source.id)
    cost, made = Cost(Decimal("0.0042"), estimated=False), as_it_came(path, measure(accept(path)))
    shop.upload(claim, made, Receipt(Decimal("0.0042")), cost)
    shop.die()
    found = shop.neighbour().run(job)
    assert (found.status, found.peak_dbfs, found.loudness_lufs, found.silence_share) == (SUCCEEDED, *figures)


def test_a_spooled_answer_is_judged_as_well(shop: Workshop) -> None:
    """What an earlier attempt left may be as bad as any."""
    job = shop.job(recover=True, attempt=1, text=TEXT)
    shop.spool.path_for(job, 1).write_bytes(wav(bytes(240_000)))
    row = shop.run(job)
    assert (row.status, row.code, row.takes_used) == (QUEUED, "bad_audio", 1)
    assert shop.run(job).status == SUCCEEDED


DIRECTED: Final = f"Ruhig gesprochen, von einem alten Fischer am Abend, der viel Zeit hat und sie sich nimmt.\n{TEXT}"
"""A direction in words that nothing recognises."""


def answered(shop: Workshop, job: UUID, said: str) -> JobStatus:
    """The job's state after an answer that contains this share of its text."""
    shop.spool.path_for(job, shop.row(job).attempt).write_bytes(wav(speak(Utterance(said, "Kore"))))
    return JobStatus(shop.run(job).status)


def test_two_takes_as_long_as_each_other_are_what_the_text_sounds_like(shop_on_both: Workshop) -> None:
    """The first is refused, because the direction might be part of the text; the second one shows that it isn't."""
    shop = shop_on_both
    job = shop.job(recover=True, attempt=1, text=DIRECTED + "\n" + DIRECTED.partition("\n")[0])
    assert answered(shop, job, TEXT) == QUEUED
    assert answered(shop, job, TEXT) == SUCCEEDED
    assert "flaw too_short; length" in shop.books(job)[0].detail
    assert shop.bought() == 0


def test_takes_that_differ_do_not_agree(shop: Workshop) -> None:
    """Truncation leaves another length each time."""
    job = shop.job(recover=True, attempt=1, text=DIRECTED + "\n" + DIRECTED.partition("\n")[0])
    assert answered(shop, job, TEXT) == QUEUED
    assert answered(shop, job, TEXT[:60]) == QUEUED


def test_without_checks_only_the_container_is_looked_at(shop: Workshop) -> None:
    """Silence of any length is a take then, and nothing is known of its sound."""
    shop.limits = None
    shop.script(take=Take.SILENT)
    row = shop.neighbour().run(shop.job(text=TEXT))
    assert (row.status, row.peak_dbfs, row.loudness_lufs, row.silence_share) == (SUCCEEDED, None, None, None)


def test_limits_are_the_operators(shop: Workshop) -> None:
    """An operator who expects slower speech can refuse what the defaults accept."""
    shop.limits = GateLimits(characters_per_second=5)
    row = shop.neighbour().run(shop.job(text=TEXT))
    assert (row.status, row.code) == (QUEUED, "bad_audio")


def texts() -> list[str]:
    """Every text of the examples."""
    with (EXAMPLES / "welcome.csv").open(encoding="utf-8", newline="") as file:
        found = [row["text"] for row in csv.DictReader(file)]
    found += [json.loads(line)["text"] for line in (EXAMPLES / "lines.jsonl").read_text("utf-8").splitlines() if line]
    return found + [line for line in (EXAMPLES / "lines.txt").read_text("utf-8").splitlines() if line.strip()]


def test_the_emulators_own_takes_are_good(shop: Workshop, tmp_path: Path) -> None:
    """Whatever the examples say, in every way a rehearsal may hear it."""
    for number, words in enumerate(texts()):
        path = tmp_path / f"{number}.audio"
        run_here(shop.client.client.synthesize(shop.claim(shop.job(text=words)).speech, path))
        assert isinstance(judged(path, words, GateLimits(), shop.executor.pools.codecs), Accepted), words
