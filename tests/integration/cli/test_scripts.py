"""`ttsq run SCRIPT --cast CAST`: every turn in its voice, and nothing bought that was bought before."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.terminal import KEY, Ttsq
from tests.thorough import thorough
from tests.unit.scripts.samples import FOLDER, SPEAKERS
from worker.emulator.config import EmulatorConfig
from worker.emulator.ledger import text_hash
from worker.emulator.server import Emulator
from worker.scripts.cast.cast import assign
from worker.scripts.cast.files import read_cast
from worker.scripts.plan import plan
from worker.scripts.readers.files import read_script


@pytest.fixture
def api(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An API, and the settings that lead to it."""
    del ttsq  # its settings come first
    with Emulator(EmulatorConfig(key=KEY)) as running:
        monkeypatch.setenv("SEGMIND_BASE_URL", running.base_url)
        monkeypatch.setenv("SEGMIND_RPM", "unlimited")
        yield running


def bought(api: Emulator) -> list[tuple[str, str]]:
    """Return the hash and voice of each text that the API billed."""
    return sorted((line.text, line.voices) for line in api.state(detail=True).bill)


def planned(name: str) -> list[tuple[str, str]]:
    """Return the hash and voice of each part of a script with `cast.toml`: texts are bought once."""
    assigned = assign(read_script(Path(name)), read_cast(Path("cast.toml")), name)
    found = {(text_hash(part.spoken), part.delivery.voice) for part in plan(assigned).parts if part.delivery}
    return sorted(found)


def here(name: str) -> Path:
    path = Path(name)
    path.write_bytes((FOLDER / name).read_bytes())
    return path


def test_all_forms_are_spoken_by_their_casts(ttsq: Ttsq, api: Emulator) -> None:
    """Twelve scripts of two to twenty speakers: the emulator's books have every turn in its speaker's voice."""
    expected: set[tuple[str, str]] = set()
    for name in thorough(list(SPEAKERS), ["duel.fountain", "market.csv", "teahouse.txt"]):
        here(name)
        Path("cast.toml").unlink(missing_ok=True)
        assert ttsq("cast", "suggest", name, "--out", "cast.toml").code == 0
        expected |= set(planned(name))
        shown = ttsq("run", name, "--cast", "cast.toml", "--out", f"out/{name}.flac", "--yes", "--json")
        assert (shown.code, shown.data["succeeded"]) == (0, 1), shown.err
        assert soundfile.info(f"out/{name}.flac").duration > 2
    assert bought(api) == sorted(expected)


def test_stems_and_captions_lie_beside_the_recording(ttsq: Ttsq, api: Emulator) -> None:
    here("ferry.txt")
    ttsq("cast", "suggest", "ferry.txt", "--out", "cast.toml")
    options = ("--stems", "--captions", "vtt", "--captions", "json")
    quoted = ttsq("quote", "ferry.txt", "--cast", "cast.toml", "--out", "out/ferry.wav", "--json").data
    shown = ttsq("run", "ferry.txt", "--cast", "cast.toml", "--out", "out/ferry.wav", *options, "--yes", "--json")
    assert shown.code == 0, shown.err
    assert quoted["calls"] == api.state().billed_calls
    assert Decimal(shown.data["cost"]) == api.state().billed
    whole, rate = soundfile.read("out/ferry.wav", dtype="float32")
    with zipfile.ZipFile("out/ferry.stems.zip") as archive:
        assert archive.namelist() == ["01 narrator.flac", "02 Anna.flac", "03 Old Ben.flac"]
        tracks = [soundfile.read(io.BytesIO(archive.read(name)), dtype="float32")[0] for name in archive.namelist()]
    assert np.abs(np.sum(tracks, axis=0) - whole).max() < 1e-3
    cues = json.loads(Path("out/ferry.json").read_text(encoding="utf-8"))
    told = next(index for index, cue in enumerate(cues) if cue["text"].startswith("I was"))
    assert cues[told]["start"] - cues[told - 1]["end"] == pytest.approx(1.5, abs=0.002)
    assert cues[told]["speaker"] == "Anna"
    pause = whole[round(cues[told - 1]["end"] * rate) : round(cues[told]["start"] * rate)]
    assert np.abs(pause).max() < 0.01
    assert "<v Old Ben>Told by whom" in Path("out/ferry.vtt").read_text(encoding="utf-8")


def test_an_edited_turn_buys_one_part_and_another_voice_its_speakers(ttsq: Ttsq, api: Emulator) -> None:
    script = here("market.csv")
    ttsq("cast", "suggest", "market.csv", "--out", "cast.toml")
    run = ("run", "market.csv", "--cast", "cast.toml", "--out", "market.flac", "--yes", "--json")
    assert ttsq(*run).code == 0
    assert api.state().billed_calls == 5
    text = script.read_text(encoding="utf-8").replace("Póngame tres", "Póngame cuatro")
    script.write_text(text, encoding="utf-8")
    assert ttsq("quote", *run[1:6], "--json").data["calls"] == 1
    assert ttsq(*run).code == 0
    assert api.state().billed_calls == 6
    before = set(bought(api))
    cast = read_cast(Path("cast.toml")).roles
    mine, other = cast["vendedor"].voice, cast["niño"].voice
    written = Path("cast.toml").read_text(encoding="utf-8")
    Path("cast.toml").write_text(written.replace(f'"{mine}"', f'"{other}"'), encoding="utf-8")
    assert ttsq("quote", *run[1:6], "--json").data["calls"] == 2
    assert ttsq(*run).code == 0
    assert [voice for _, voice in set(bought(api)) - before] == [other, other]
    assert ttsq(*run).code == 0
    assert api.state().billed_calls == 8


BAD = {
    "unknown speaker": ("a.txt", "Anna: One.\nAnna: Two.\nBen: x\nBen: y", "--cast c.toml"),
    "empty turn": ("a.txt", "Anna: One.\nAnna:\n\nAnna: x", "--cast c.toml"),
    "ten megabytes": ("a.txt", "Anna: One.\n" * 1_000_000, "--cast c.toml"),
    "circular alias": ("a.txt", "Anna: One.\nAnna: Two.", "--cast loop.toml"),
    "no file": ("a.txt", "Anna: One.\nAnna: Two.", "--cast none.toml"),
    "no cast": ("a.fountain", "ANNA\nOne.\n", ""),
    "no kept cast": ("a.fountain", "ANNA\nOne.\n", "--cast seasn@2"),
    "a voice": ("a.fountain", "ANNA\nOne.\n", "--cast c.toml --voice Kore"),
    "a gap": ("a.fountain", "ANNA\nOne.\n", "--cast c.toml --gap reply=99"),
}
MESSAGES = {
    "unknown speaker": 'has no role for "Ben" (line 3)',
    "empty turn": "line 2, Anna: has no words",
    "ten megabytes": "divide it at its scenes",
    "circular alias": "is a circular alias",
    "no file": "No such file",
    "no cast": "ttsq cast suggest a.fountain",
    "no kept cast": '"seasn" is no cast that is kept; did you mean "season"?',
    "a voice": "voices are in its cast",
    "a gap": "needs seconds",
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_cast_is_refused_before_anything_is_bought(ttsq: Ttsq, api: Emulator, what: str) -> None:
    name, text, arguments = BAD[what]
    Path(name).write_text(text, encoding="utf-8")
    Path("c.toml").write_text('Anna = "Kore"\n', encoding="utf-8")
    Path("loop.toml").write_text('Anna = "Ben"\nBen = "Anna"\n', encoding="utf-8")
    assert ttsq("cast", "set", "season", "c.toml").code == 0
    shown = ttsq("run", name, *arguments.split(), "--out", "a.wav", "--yes")
    assert shown.code != 0
    assert MESSAGES[what] in " ".join(shown.err.split())
    assert api.state().calls == 0


def test_casts_are_kept_by_name_and_version(ttsq: Ttsq, api: Emulator) -> None:
    """A version never means other voices, not even after the cast was removed."""
    Path("a.fountain").write_text("ANNA\nOne and two.\n\nBEN\nThree and four.\n", encoding="utf-8")
    Path("c.toml").write_text('Anna = "Kore"\nBen = {voice = "Puck", aliases = ["Benjamin"]}\n', encoding="utf-8")
    assert ttsq("cast", "set", "season", "c.toml", "--json").data["version"] == 1
    assert ttsq("cast", "set", "season", "c.toml", "--json").data["version"] == 1
    Path("c.toml").write_text('Anna = "Leda"\nBen = "Puck"\n', encoding="utf-8")
    assert ttsq("cast", "set", "season", "c.toml", "--json").data["version"] == 2
    run = ("run", "a.fountain", "--out", "a.wav", "--yes", "--json", "--cast")
    assert ttsq(*run, "season@1").code == 0
    assert sorted(voice for _, voice in bought(api)) == ["Kore", "Puck"]
    assert ttsq(*run, "season").code == 0
    assert sorted(voice for _, voice in bought(api)) == ["Kore", "Leda", "Puck"]
    shown = ttsq("cast", "show", "season@1", "--json").data
    assert (shown["version"], shown["roles"]["Anna"]) == (1, "Kore")
    assert "benjamin" in ttsq("cast", "show", "season@1").out
    assert [one["version"] for one in ttsq("cast", "list", "--json").lines] == [2]
    missing = ttsq("run", "a.fountain", "--cast", "season@3", "--out", "a.wav", "--yes")
    assert '"season@3" is no version of it' in missing.err
    assert ttsq("cast", "rm", "season", "--json").data["versions"] == 2
    assert ttsq("cast", "list").out.startswith("No casts")
    assert ttsq("cast", "set", "season", "c.toml", "--json").data["version"] == 3


def test_a_lexicon_changes_what_is_said_and_not_what_is_shown(ttsq: Ttsq, api: Emulator) -> None:
    """In another run of the same script it buys exactly the turns that hold the word."""
    Path("a.fountain").write_text("ANNA\n(calm)\nDr. Nguyen is here.\n\nBEN\nThree and four.\n", encoding="utf-8")
    Path("c.toml").write_text('Anna = "Kore"\nBen = "Puck"\n', encoding="utf-8")
    Path("brand.csv").write_text("match,say\nNguyen,win\n", encoding="utf-8")
    run = ("run", "a.fountain", "--cast", "c.toml", "--out", "a.wav", "--captions", "vtt", "--yes", "--json")
    assert ttsq(*run).code == 0
    assert api.state().billed_calls == 2
    shown = ttsq(*run, "--lexicon", "brand.csv")
    assert shown.code == 0, shown.err
    assert api.state().billed_calls == 3
    assert (text_hash("[calm] Dr. win is here."), "Kore") in bought(api)
    assert "<v Anna>Dr. Nguyen is here." in Path("a.vtt").read_text(encoding="utf-8")
