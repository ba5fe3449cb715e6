"""Scripts as plans: one voice a part, no bare words, pauses as written, and an edit that stays where it is made."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from api_models.registry import MODELS
from tests.unit.scripts.samples import SPEAKERS, script
from worker.documents.plan.plan import Gap, Plan
from worker.documents.plan.spoken import ENDED
from worker.documents.stored_plan import StoredPlan
from worker.scripts.cast.cast import Cast, Role, assign
from worker.scripts.plan import plan
from worker.scripts.script import NARRATOR, Script, folded

VOICES = list(next(iter(MODELS.values())).voices)


def cast(found: Script, **changes: object) -> Cast:
    """Return a cast in which every speaker has a voice of its own."""
    names = [name or NARRATOR for name in found.speakers().values()]
    roles = {folded(name): Role(name, voice) for name, voice in zip(names, VOICES, strict=False)}
    return Cast({key: replace(role, **changes) for key, role in roles.items()})  # type: ignore[arg-type]


def planned(found: Script, **changes: object) -> Plan:
    return plan(assign(found, cast(found, **changes), "script"))


@pytest.mark.parametrize("name", SPEAKERS)
def test_every_turn_is_in_a_part_of_its_speaker(name: str) -> None:
    found = script(name)
    made = planned(found)
    parts = iter(made.parts)
    part = next(parts)
    for turn in found.turns():
        words = turn.text.removesuffix("--").strip()
        while words not in made.share(part):
            part = next(parts)
        assert part.delivery is not None
        assert part.delivery.speaker == (turn.speaker or NARRATOR)
    assert "".join(map(made.share, made.parts)) == made.document.text


@pytest.mark.parametrize("name", SPEAKERS)
def test_no_part_is_a_bare_word(name: str) -> None:
    for part in planned(script(name)).parts:
        assert len(part.spoken) >= 60 or ENDED.search(part.spoken)


def test_short_neighbours_of_one_speaker_share_a_part() -> None:
    spoken = [part.spoken for part in planned(script("ferry.txt")).parts]
    assert "Yes.\nNo. Wait." in spoken
    assert len(spoken) == len(SPEAKERS["ferry.txt"]) - 1


def test_pauses_and_overlaps_are_the_scripts() -> None:
    made = planned(script("ferry.txt"))
    gaps = [(part.gap, part.pause) for part in made.parts]
    assert gaps == [
        (Gap.REPLY, None),
        (Gap.REPLY, None),
        (Gap.REPLY, 1.5),
        (Gap.REPLY, None),
        (Gap.REPLY, -0.25),
        (Gap.SCENE, None),
        (Gap.THOUGHT, 0.8),
        (Gap.REPLY, None),
        (Gap.REPLY, None),
        (Gap.REPLY, None),
        (Gap.END, None),
    ]


def test_directions_and_styles_go_as_the_model_takes_them() -> None:
    made = planned(script("ferry.txt"), style="hurried")
    assert made.parts[3].spoken.startswith("[hurried] [whispering] I was told")
    other = planned(script("ferry.txt"), style="hurried", model="gemini-2.5-flash-tts")
    assert other.parts[3].spoken.startswith("Say in this style (hurried): I was told")
    assert "whispering" not in other.parts[3].spoken
    assert "takes no directions" in other.document.warnings[-1]
    assert "hurried" not in made.document.text


def test_a_long_turn_is_divided_and_keeps_its_speaker() -> None:
    found = script("ferry.txt")
    (scene, *others) = found.scenes
    long = replace(scene.turns[1], text="The boat was late again, and the pier was wet. " * 60)
    edited = replace(found, scenes=(replace(scene, turns=(scene.turns[0], long, *scene.turns[2:])), *others))
    parts = [part for part in planned(edited).parts if part.delivery is not None and part.delivery.speaker == "Anna"]
    assert len(parts) > 4
    assert max(part.seconds for part in parts) <= 60
    assert max(len(part.spoken.encode()) for part in parts) <= 4_000


@pytest.mark.parametrize("name", SPEAKERS)
def test_an_edited_turn_changes_one_part(name: str) -> None:
    found = script(name)
    before = planned(found)
    for index, scene in enumerate(found.scenes):
        turn = replace(scene.turns[-1], text="Something else altogether is said here, and at some length, today.")
        scenes = [*found.scenes]
        scenes[index] = replace(scene, turns=(*scene.turns[:-1], turn))
        after = planned(replace(found, scenes=tuple(scenes)))
        known = {(part.spoken, part.delivery) for part in before.parts}
        assert len([part for part in after.parts if (part.spoken, part.delivery) not in known]) == 1


def test_a_new_voice_changes_exactly_its_speakers_parts() -> None:
    found = script("council.txt")
    roles = cast(found)
    other = Cast({**roles.roles, "member 7": replace(roles.roles["member 7"], voice="Sulafat")})
    before, after = (plan(assign(found, one, "x")) for one in (roles, other))
    changed = [new.delivery for old, new in zip(before.parts, after.parts, strict=True) if old != new]
    assert [by.speaker for by in changed if by] == ["Member 7", "Member 7"]


def test_a_plan_is_stored_with_its_turns_and_a_plain_one_as_before() -> None:
    stored = StoredPlan.of(planned(script("ferry.txt"), gain_db=1.5, pace=1.1))
    assert StoredPlan.decode(stored.encode()) == stored
    assert stored.parts[2].pause == pytest.approx(1.5)
    assert (stored.parts[1].speaker, stored.parts[1].gain_db, stored.parts[1].pace) == ("Anna", 1.5, 1.1)
    plain = '{"language": "en", "title": "", "author": "", "chapters": [], "parts": [[0, 9, 1.0, -1, "end"]]}'
    assert StoredPlan.decode(plain).encode() == plain


def test_scenes_are_chapters() -> None:
    made = planned(script("ferry.txt"))
    assert [chapter.title for chapter in made.document.chapters] == ["The pier", "On board"]
    chapters = [part.chapter for part in made.parts]
    assert all(before <= after for before, after in pairwise(chapters))
    assert set(chapters) == {0, 1}
