"""Casts: roles, aliases and voices checked as a whole; speakers without a role named in one error; voices apart."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from api_models.problems import InvalidInputError
from api_models.registry import DEFAULT_MODEL, VOICES
from tests.unit.scripts.samples import SPEAKERS, script
from worker.scripts.cast.cast import Cast, assign, cast_of
from worker.scripts.cast.files import entry_of, read_cast, toml
from worker.scripts.cast.suggest import ALIKE, distance, suggest

FERRY: dict[str, Any] = {
    "Anna": {"voice": "kore", "style": "hurried", "gain": 1.5, "pace": 1.1, "aliases": ["Annie", "A."]},
    "Old Ben": {"voice": "Charon", "fallback": "Orus", "language": "en"},
    "narrator": "Sulafat",
    "the narrator": "narrator",
}


def refused(entries: Any) -> list[str]:  # noqa: ANN401 - whatever a file holds
    with pytest.raises(InvalidInputError) as caught:
        cast_of(entries, "cast.toml")
    return [str(fault) for fault in caught.value.faults]


def test_a_role_is_found_by_its_name_and_aliases() -> None:
    cast = cast_of(FERRY, "cast.toml")
    assert cast.of("ANNA") is cast.of("annie") is cast.of("A.")
    anna, narrator = cast.of("Anna"), cast.of("")
    assert anna is not None
    assert (anna.voice, anna.style, anna.gain_db, anna.pace, anna.model) == ("Kore", "hurried", 1.5, 1.1, DEFAULT_MODEL)
    assert narrator is cast.of("The Narrator")
    assert cast.of("Porter") is None


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"A": "B", "B": "C", "C": "A"}, "A: is a circular alias: A → B → C → A"),
        ({"A": {"alias_of": "A"}}, "A: is a circular alias: A → A"),
        ({"A": {"voice": "Kore", "aliases": ["B"]}, "b": {"voice": "Puck"}}, "b: is named twice"),
        ({"Anna": {"voice": "Kore"}, "B": "Ana"}, 'B: stands for "Ana", which is no role; did you mean "Anna"?'),
        ({"A": {"voice": "Kor"}}, 'A.voice: no voice "Kor"; did you mean "Kore"?'),
        ({"A": {"voice": "Kore", "fallback": "Puk"}}, 'A.fallback: no voice "Puk"; did you mean "Puck"?'),
        ({"A": {}}, "A.voice: is missing"),
        ({"A": {"voice": "Kore", "gain": 20}}, "A.gain: must be at most 12"),
        ({"A": {"voice": "Kore", "pace": 0.1}}, "A.pace: must be at least 0.5"),
        ({"A": {"voice": "Kore", "stlye": "x"}}, 'A.stlye: is not a known field; did you mean "style"?'),
        ({"A": {"voice": "Kore", "model": "gemini-3"}}, 'A.model: no model "gemini-3"'),
        ({"A": {"voice": "Kore", "alias_of": "B"}, "B": "Puck"}, "A.alias_of: stands alone"),
        ({"A": 3}, "A: must be a role"),
        ({}, "has no roles"),
        ({f"r{number}": "Kore" for number in range(501)}, "has 501 roles; the limit is 500"),
    ],
)
def test_a_faulty_cast_is_refused_with_its_field(entries: dict[str, Any], message: str) -> None:
    assert any(message in fault for fault in refused(entries))


def test_all_faults_of_a_cast_are_shown() -> None:
    assert len(refused({"A": {"voice": "x"}, "B": {"voice": "y"}, "C": {"voice": "Kore", "pace": 9}})) == 3


def test_the_fallback_replaces_a_lost_voice_and_says_so() -> None:
    cast = cast_of({"A": {"voice": "Retired", "fallback": "Puck"}}, "cast.toml")
    role = cast.of("A")
    assert role is not None
    assert role.voice == "Puck"
    assert cast.warnings() == [f"A: {DEFAULT_MODEL} has lost the cast's voice; the fallback Puck is used"]
    assert cast_of(FERRY, "cast.toml").warnings() == []


def test_one_error_names_every_speaker_without_a_role() -> None:
    cast = cast_of({"Ana": "Kore", "Bob": "Puck"}, "cast.toml")
    with pytest.raises(InvalidInputError) as caught:
        assign(script("ferry.txt"), cast, "ferry.txt")
    (fault,) = caught.value.faults
    assert '"Anna" (line 10, did you mean "Ana"?), "Old Ben" (line 11)' in fault.message
    assert "narration (line 8: add a role narrator)" in fault.message


def test_action_without_a_narrator_is_silent_and_listed() -> None:
    names = {name: "Kore" for name in SPEAKERS["duel.fountain"] if name}
    assigned = assign(script("duel.fountain"), cast_of(names, "cast.toml"), "duel.fountain")
    assert [turn.line for turn in assigned.silent] == [12, 40, 45]
    spoken = assign(script("duel.fountain"), cast_of({**names, "narrator": "Puck"}, "c"), "duel.fountain")
    assert spoken.silent == ()


@pytest.mark.parametrize("suffix", ["toml", "json", "csv"])
def test_casts_are_read_from_files(tmp_path: Path, suffix: str) -> None:
    content = {
        "toml": '[Anna]\nvoice = "Kore"\ngain = -1.5\naliases = ["Annie"]\n["Old Ben"]\nvoice = "Charon"\n',
        "json": '{"Anna": {"voice": "Kore", "gain": -1.5, "aliases": ["Annie"]}, "Old Ben": "Charon"}',
        "csv": "Speaker;Voice;Gain;Aliases\nAnna;Kore;-1,5;Annie\nOld Ben;Charon;;\n",
    }[suffix]
    path = tmp_path / f"cast.{suffix}"
    path.write_text(content, encoding="utf-8")
    cast = read_cast(path)
    anna, ben = cast.of("annie"), cast.of("old ben")
    assert anna is not None
    assert ben is not None
    assert (anna.voice, anna.gain_db, ben.voice) == ("Kore", -1.5, "Charon")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.toml", "[A\nvoice", "can't be read"),
        ("c.json", '{"A": "Kore", "A": "Puck"}', "names"),
        ("c.json", "[1]", "holds no object"),
        ("c.csv", "voice\nKore\n", "names no column speaker"),
        ("c.csv", "speaker,voice\nA,Kore\nA,Puck\n", "line 3 names A twice"),
        ("c.yaml", "A: Kore", "is no cast"),
        ("c.toml", "#" * 1_000_001, "has over 1,000,000 bytes"),
    ],
)
def test_a_file_that_is_no_cast_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInputError, match=message):
        read_cast(tmp_path / name)


@pytest.mark.parametrize("name", SPEAKERS)
def test_a_suggestion_is_a_cast_of_the_whole_script(name: str, tmp_path: Path) -> None:
    """Written as a file and read again, it has a role for every speaker, and no voice twice among thirty speakers."""
    found = suggest(script(name), DEFAULT_MODEL)
    (tmp_path / "cast.toml").write_text(toml(found.roles), encoding="utf-8")
    cast: Cast = read_cast(tmp_path / "cast.toml")
    assert assign(script(name), cast, name).silent == ()
    voices = [role.voice for role in found.roles.values()]
    assert len(set(voices)) == len(voices)
    assert found.shared == ()
    few = len(voices) <= 6
    apart = [distance(one, other) for one, other in combinations(voices, 2)]
    assert not few or min(apart) >= ALIKE
    assert bool(found.alike) == any(value < ALIKE for value in apart)


def test_a_suggestion_keeps_roles_and_names_voices_that_are_alike() -> None:
    known = cast_of({"Anna": "Kore", "Old Ben": {"voice": "Despina"}, "narrator": "Algieba"}, "cast.toml")
    assert [role.voice for role in suggest(script("ferry.txt"), DEFAULT_MODEL, known).roles.values()] == [
        *("Algieba", "Kore", "Despina"),
    ]
    known = cast_of({"Anna": "Erinome", "Old Ben": "Gacrux", "narrator": "Autonoe"}, "cast.toml")
    assert suggest(script("ferry.txt"), DEFAULT_MODEL, known).alike == ()
    known = cast_of({"Anna": "Orus", "Old Ben": "Alnilam", "narrator": "Autonoe"}, "cast.toml")
    assert suggest(script("ferry.txt"), DEFAULT_MODEL, known).alike == (("Anna", "Old Ben"),)


def test_more_speakers_than_voices_share_them_and_say_so(tmp_path: Path) -> None:
    lines = "".join(f"P{number}: One.\nP{number}: Two.\n" for number in range(len(VOICES) + 2))
    (tmp_path / "a.txt").write_text(lines, encoding="utf-8")
    from worker.scripts.readers.files import read_script  # noqa: PLC0415 - for one test

    found = suggest(read_script(tmp_path / "a.txt"), DEFAULT_MODEL)
    assert len(found.shared) == 2
    assert {role.voice for role in found.roles.values()} == set(VOICES)


def test_names_suggest_register_and_age() -> None:
    voices = {name: role.voice for name, role in suggest(script("lesson.md"), DEFAULT_MODEL).roles.items()}
    assert set(voices) == {"Professeur", "Zoé", "Hugo"}
    found = suggest(script("ferry.txt"), DEFAULT_MODEL).roles["Old Ben"]
    assert VOICES[found.voice] in {"Mature", "Gravelly"}


def test_roles_written_as_json_are_read_again() -> None:
    cast = cast_of(FERRY, "cast.toml")
    entries = json.loads(json.dumps({role.name: entry_of(role) for role in cast.roles.values()}))
    assert cast_of(entries, "again").of("Anna") == cast.of("Anna")
