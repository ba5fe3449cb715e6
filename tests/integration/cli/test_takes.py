"""`ttsq takes`: what was bought, listened to, marked, chosen and calibrated."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import soundfile

from tests.long_texts import paragraphs, sentence
from tests.terminal import KEY, Ttsq
from worker.artifacts.folder.store import FolderStore
from worker.artifacts.ownership import ATTEMPT, JOB
from worker.documents.captions.cues import Span
from worker.documents.captions.timeline import Timeline
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule, Take
from worker.emulator.server import Emulator
from worker.execution import timings

TEXT = "The ferry leaves at noon, and the bakery behind the harbour opens at six, as it has for forty years."


@pytest.fixture
def api(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An API that cuts the first two takes of each text, and all takes of one."""
    del ttsq  # its settings come first
    with Emulator(EmulatorConfig(key=KEY)) as running:
        cut = Effect(take=Take.TRUNCATED, share=0.3)
        running.admin.rules([
            Rule(effect=cut, match=Match(text_contains="Always")),
            Rule(effect=Effect(take=Take.TRUNCATED, share=0.4), match=Match(nth_of_text=(1,))),
        ])  # fmt: skip
        monkeypatch.setenv("SEGMIND_BASE_URL", running.base_url)
        monkeypatch.setenv("SEGMIND_RPM", "unlimited")
        yield running


def lines(ttsq: Ttsq, *arguments: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in ttsq(*arguments, "--json").out.splitlines()]


def test_takes_are_listed_marked_and_chosen(ttsq: Ttsq, api: Emulator) -> None:
    """Choosing keeps what it replaces, costs nothing and makes a failed job succeed."""
    Path("sheet.csv").write_text(f'custom_id,text\nintro,"{TEXT}"\nlost,"Always {TEXT}"\n', encoding="utf-8")
    assert ttsq("run", "sheet.csv", "--yes").code != 0
    paid = api.state().billed_calls
    found = lines(ttsq, "takes", "list", "intro")
    assert [(take["take"], take["used"], take["code"]) for take in found] == [(1, False, "bad_audio"), (2, True, None)]
    good = Path("audio/sheet/intro.wav").read_bytes()
    shown = ttsq("takes", "choose", "intro", "1")
    assert shown.code == 0, shown.err
    refused = Path("audio/sheet/refused/intro.1.wav")
    assert Path("audio/sheet/intro.wav").read_bytes() == refused.read_bytes()
    assert Path("audio/sheet/refused/intro.2.wav").read_bytes() == good
    found = lines(ttsq, "takes", "list", "intro")
    assert [(take["take"], take["used"], take["mark"]) for take in found] == [(1, True, "good"), (2, False, None)]
    assert "take 1 is the job's audio already" in ttsq("takes", "choose", "intro", "1").err
    assert "no take 7" in ttsq("takes", "choose", "intro", "7").err
    assert ttsq("takes", "choose", "intro", "2").code == 0
    assert Path("audio/sheet/intro.wav").read_bytes() == good
    assert ttsq("takes", "choose", "lost", "3").code == 0
    shown = ttsq("jobs", "show", "lost", "--json").data
    assert (shown["status"], shown["code"], Path("audio/sheet/lost.wav").exists()) == ("succeeded", None, True)
    assert shown["duration_ms"] == round(soundfile.info("audio/sheet/lost.wav").duration * 1000)
    assert api.state().billed_calls == paid


def test_the_worst_comes_first_and_marks_calibrate(ttsq: Ttsq, api: Emulator) -> None:
    Path("sheet.csv").write_text(f'custom_id,text\nintro,"{TEXT}"\nlost,"Always {TEXT}"\n', encoding="utf-8")
    ttsq("run", "sheet.csv", "--yes")
    heard = lines(ttsq, "takes", "listen", "sheet")
    assert [(take["custom_id"], take["take"]) for take in heard] == [("intro", 1), *(("lost", n) for n in (1, 2, 3))]
    assert all(Path(str(take["uri"]).removeprefix("file://")).is_file() for take in heard)
    assert len(lines(ttsq, "takes", "listen", "sheet", "--all")) == 5
    assert ttsq("takes", "mark", "intro", "good").code == 0
    assert ttsq("takes", "mark", "lost", "bad", "--take", "2").code == 0
    assert "no take 9" in ttsq("takes", "mark", "lost", "bad", "--take", "9").err
    figures = ttsq("takes", "calibrate", "sheet", "--json").data
    assert figures["takes"] == 5
    assert set(figures["rungs"]) == {"signal", "rate", "shape", "words"}
    assert "marked" in ttsq("takes", "calibrate", "sheet").err
    assert ttsq("takes", "mark", "intro", "none").code == 0
    assert ttsq("takes", "rates", "list").out.startswith("No rates")
    assert ttsq("takes", "rates", "reset", "--json").data["rates"] == 0
    assert api.state().billed_calls == 5


def test_a_part_keeps_its_chosen_take_in_later_versions(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recording is joined again with it, and an edit elsewhere doesn't bring the other take back."""
    text = "# The Ferry\n\n" + "\n\n".join(f"## Chapter {n}\n\n{paragraphs(4, first=n * 50)}" for n in (1, 2))
    run = ("run", "ferry.md", "--out", "ferry.wav", "--captions", "json", "--timings", "word", "--yes")
    cut = Effect(take=Take.TRUNCATED, share=0.4)
    monkeypatch.setenv("TTSQ_WORD_TIMES", "off")
    with Emulator(EmulatorConfig(key=KEY)) as api:
        monkeypatch.setenv("SEGMIND_BASE_URL", api.base_url)
        monkeypatch.setenv("SEGMIND_RPM", "unlimited")
        api.admin.rules([Rule(effect=cut, match=Match(text_contains=sentence(100), nth_of_text=(1,)))])
        Path("ferry.md").write_text(text, encoding="utf-8")
        assert ttsq(*run).code == 0
        whole, paid = soundfile.info("ferry.wav").duration, api.state().billed_calls
        refused = next(take for take in lines(ttsq, "takes", "list", "ferry") if not take["used"])
        assert ttsq("takes", "choose", str(refused["job"]), "1").code == 0
        with_heard_words(str(refused["job"]))
        assert ttsq(*run).code == 0
        shorter = soundfile.info("ferry.wav").duration
        assert shorter < whole - 5
        assert "alignment" in {cue["source"] for cue in json.loads(Path("ferry.json").read_text(encoding="utf-8"))}
        assert ttsq("takes", "pin", str(refused["job"]), "--off").code == 0
        assert ttsq("takes", "pin", str(refused["job"])).code == 0
        assert "is no part" in ttsq("takes", "pin", "ferry").err
        Path("ferry.md").write_text(text.replace(sentence(51), "It rained."), encoding="utf-8")
        assert ttsq(*run).code == 0
        assert soundfile.info("ferry.wav").duration < shorter
        assert api.state().billed_calls <= paid + 2


def with_heard_words(part: str) -> None:
    """Put times of recognised words beside a part's audio, as a worker with an aligner does."""
    with closing(sqlite3.connect(".ttsq/ttsq.db")) as connection:
        hexadecimal = part.replace("-", "")
        query = "SELECT text, sha256, timings, uri FROM jobs WHERE id = ?"
        text, sha256, level, uri = connection.execute(query, (hexadecimal,)).fetchone()
    assert level == "word"
    word = Span(0.3, 0.6, 0, text.index(" "), "alignment", 0.9)
    content = Timeline(text, "en", 9.0, (word,), (), (word,)).encode()
    path = Path("words.json")
    path.write_text(content, encoding="utf-8")
    store = FolderStore(Path().absolute())
    key = store.key_of(uri) or ""
    metadata = {JOB: part, ATTEMPT: "99", timings.AUDIO: sha256}
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    store.put(key + timings.SUFFIX, path, content_type="application/json", sha256=sha256, metadata=metadata)
