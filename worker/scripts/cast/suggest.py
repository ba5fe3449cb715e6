"""Proposes voices for speakers by contrast: those who speak most, and to each other, sound least alike.

Weakness: voices are known by Google's one word for each and their register, not by listening.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final, NamedTuple

from api_models.registry import MODELS, VOICES
from worker.documents.plan.duration import seconds
from worker.scripts.cast.cast import Cast, Role
from worker.scripts.script import NARRATOR, Script, folded, without_tags

HIGH: Final = frozenset(
    {
        *("Zephyr", "Kore", "Leda", "Aoede", "Callirrhoe", "Autonoe", "Despina", "Erinome", "Laomedeia"),
        *("Achernar", "Gacrux", "Pulcherrima", "Vindemiatrix", "Sulafat"),
    }
)
"""Voices of the higher register, by Google's list of its voices."""


class Sound(NamedTuple):
    """A voice as a point. Equal steps are about equally audible; the scale is ours."""

    register: float
    energy: float
    warmth: float
    age: float


_REGISTER: Final = 1.6
"""How far the two registers lie apart: further than most characters of one."""
_MIDDLE: Final = (0.0, 0.0, 0.0)
_CHARACTERS: Final[Mapping[str, tuple[float, float, float]]] = {
    "Bright": (1.0, 0.3, -0.5),
    "Upbeat": (1.5, 0.5, -0.5),
    "Informative": (0.1, -0.3, 0.4),
    "Firm": (0.4, -0.9, 0.4),
    "Excitable": (2.0, 0.2, -0.8),
    "Youthful": (0.8, 0.2, -1.6),
    "Breezy": (0.7, 0.7, -0.3),
    "Easy-going": (-0.3, 0.9, 0.0),
    "Breathy": (-1.0, 0.6, -0.2),
    "Clear": (0.1, -0.2, 0.0),
    "Smooth": (-0.6, 0.5, 0.2),
    "Gravelly": (-0.4, -0.3, 1.6),
    "Soft": (-1.5, 0.8, -0.2),
    "Even": (-0.4, -0.5, 0.2),
    "Mature": (-0.2, 0.1, 1.6),
    "Forward": (1.0, -0.7, 0.1),
    "Friendly": (0.4, 1.3, -0.1),
    "Casual": (0.1, 0.7, -0.5),
    "Gentle": (-1.3, 1.2, 0.1),
    "Lively": (1.6, 0.4, -0.6),
    "Knowledgeable": (0.0, -0.1, 0.9),
    "Warm": (-0.4, 1.6, 0.4),
}
"""Energy, warmth and age of each of Google's words."""
ALIKE: Final = 0.75
"""Voices nearer than this are easily confused."""
_ADJACENT: Final = 1.5
"""Speakers who answer each other need this much more contrast."""

_LOW_WORDS: Final = (
    r"mr|sir|lord|king|prince|father|dad|brother|uncle|grandfather|grandpa|boy|man|captain|herr|könig|vater|bruder|onkel"
    r"|opa|junge|mann|monsieur|roi|père|frère|garçon|señor|rey|padre|hermano|niño|senhor|rei|pai|irmão|signor|re"
)
_HIGH_WORDS: Final = (
    r"mrs|ms|miss|lady|queen|princess|mother|mum|mom|sister|aunt|grandmother|grandma|girl|woman|frau|königin|mutter"
    r"|schwester|tante|oma|mädchen|madame|mademoiselle|reine|mère|sœur|fille|señora|reina|madre|hermana|niña|senhora"
    r"|rainha|mãe|irmã|signora|regina"
)
_OLD_WORDS: Final = (
    r"old|elder|grand\w+|king|queen|captain|judge|professor|doctor|alte[rs]?|opa|oma|vieux|vieille|viejo|vieja"
    r"|velho|velha"
)
_YOUNG_WORDS: Final = r"young|little|boy|girl|child|kid|junge|mädchen|kind|petite?|garçon|fille|niñ[oa]|menin[oa]"


@dataclass(frozen=True, slots=True)
class Suggestion:
    roles: dict[str, Role]
    """By the speakers' names, in the order of appearance."""
    alike: tuple[tuple[str, str], ...]
    """Pairs of speakers whose voices are easily confused."""
    shared: tuple[str, ...]
    """Speakers whose voice another one has: there are more speakers than voices."""


def sound(voice: str) -> Sound:
    """Where a voice stands; one with another character than Google's voices stands in the middle."""
    return Sound(_REGISTER if voice in HIGH else 0.0, *_CHARACTERS.get(VOICES[voice], _MIDDLE))


def distance(one: str, other: str) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(sound(one), sound(other), strict=True)) ** 0.5)


def suggest(script: Script, model: str, known: Cast | None = None) -> Suggestion:
    """Propose a voice for every speaker that `known` has no role for."""
    names = [name or NARRATOR for name in script.speakers().values()]
    roles = {name: role for name in names if known is not None and (role := known.of(name)) is not None}
    voices = [voice for voice in MODELS[model].voices if voice in VOICES]
    neighbours, length = _neighbours(script), _lengths(script)
    for name in sorted((name for name in names if name not in roles), key=lambda name: -length[folded(name)]):
        others = {other: role.voice for other, role in roles.items() if role.voice in VOICES}
        roles[name] = Role(name, _best(name, voices, others, neighbours), model)
    ordered = {name: roles[name] for name in names}
    return Suggestion(ordered, tuple(_alike(ordered)), tuple(_shared(ordered)))


def _lengths(script: Script) -> Counter[str]:
    found: Counter[str] = Counter()
    for turn in script.turns():
        found[folded(turn.speaker) or NARRATOR] += round(1_000 * seconds(turn.text))
    return found


def _neighbours(script: Script) -> set[frozenset[str]]:
    found: set[frozenset[str]] = set()
    for scene in script.scenes:
        names = [folded(turn.speaker) or NARRATOR for turn in scene.turns]
        found |= {frozenset(pair) for pair in pairwise(names)}
    return found


def _best(name: str, voices: Sequence[str], taken: Mapping[str, str], neighbours: set[frozenset[str]]) -> str:
    """Return the voice that is furthest from those taken, and suits the words of the name."""

    def contrast(voice: str) -> float:
        distances = (
            distance(voice, other) / (_ADJACENT if frozenset((folded(name), folded(who))) in neighbours else 1.0)
            for who, other in taken.items()
        )
        return min(min(distances, default=1.5), 1.5)

    unused = [voice for voice in voices if voice not in taken.values()] or list(voices)
    return max(unused, key=lambda voice: (round(contrast(voice) + 2 * _suits(name, voice), 6), -voices.index(voice)))


def _suits(name: str, voice: str) -> float:
    """Return up to 2 for a voice as the name suggests, and less for one that contradicts it."""
    found = sound(voice)
    register = _has(_HIGH_WORDS, name) - _has(_LOW_WORDS, name)
    age = _has(_OLD_WORDS, name) - _has(_YOUNG_WORDS, name)
    narrates = folded(name) == NARRATOR
    return register * (1 if voice in HIGH else -1) + 0.5 * age * found.age - 0.3 * narrates * abs(found.energy)


def _has(words: str, name: str) -> int:
    return int(re.search(rf"\b(?:{words})\b", folded(name)) is not None)


def _alike(roles: Mapping[str, Role]) -> Iterator[tuple[str, str]]:
    for (one, first), (other, second) in combinations(roles.items(), 2):
        usable = first.voice in VOICES and second.voice in VOICES
        if usable and first.voice != second.voice and distance(first.voice, second.voice) < ALIKE:
            yield one, other


def _shared(roles: Mapping[str, Role]) -> Iterator[str]:
    seen: set[str] = set()
    for name, role in roles.items():
        if role.voice in seen:
            yield name
        seen.add(role.voice)


def excerpt_of(script: Script, name: str) -> str:
    """Return the first words of a speaker, by which a reader of the proposal knows who it is."""
    return next((without_tags(turn.text) for turn in script.turns() if (turn.speaker or NARRATOR) == name), "")
