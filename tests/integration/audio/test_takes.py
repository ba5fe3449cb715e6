"""Hundreds of the emulator's takes, good and bad, put before the gate as a worker would: through files."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from api_models.registry import MODELS, VOICES
from tests.thorough import thorough
from worker.audio.errors import BadAudioError
from worker.audio.gate import GateLimits, refusal
from worker.audio.measurement import measure
from worker.audio.take import accept
from worker.emulator.faults import Effect, Take
from worker.emulator.voice import takes
from worker.emulator.voice.synthesis import Utterance, speak

TAKES: Final = thorough(2_000, 600)
FIELD_SHARES: Final = (0.13, 0.46)
"""What users reported to be left of truncated speech."""
CAST: Final = list(VOICES)[::7]
"""Few voices: the emulator remembers their syllables, which is most of this test's work."""
ENGLISH: Final = """
    the a lighthouse keeper writes one line and gulls have opinions about weather which none asked for but harbour
    boats rocked quietly while Margaret counted forty-two umbrellas behind station's extraordinary clock tower then
    I went home because it rained for days over our little unbelievably green valley
"""
RUSSIAN: Final = "поезд стоит на мосту и ждёт пока овцы перейдут дорогу потому что утро очень тихое"
HINDI: Final = "नमस्ते दुनिया आज का दिन बहुत अच्छा है और हम नदी के पास चल रहे हैं"
KOREAN: Final = "안녕하세요 여러분 오늘은 날씨가 정말 좋습니다 기차가 다리 위에서 기다리고 있어요"
CHINESE: Final = "火车在桥上等待羊群过马路今天早上非常安静我们慢慢走回家去喝茶"
JAPANESE: Final = "日本語のテキストを読み上げますとても静かな朝でしたカモメには意見がある"
SHORT: Final = (
    "Yes.",
    "No.",
    "Hello there!",
    "Monday. Fog.",
    "Oh?",
    "はい。",
    "好的。",
    "네, 알겠습니다.",
    "1984",
    "Bye-bye!",
)
TAGS: Final = ("[whispers]", "[laughs]", "[sighs]", "[excited]", "[speaking slowly]")
PROMPTS: Final = ("Say warmly:", "In a clear, calm voice:", "Read slowly, like the last page of a book:", "Sag leise:")
NAMES: Final = ("Odile", "Mister Bram", "Дарья", "Dr. O'Hara", "Guide")


def sentence(rng: random.Random, words: str, most: int = 16) -> str:
    """Words in any order: these tests judge only their sound."""
    said = rng.choices(words.split(), k=rng.randint(2, most))
    for at in range(4, len(said), 5):
        said[at - 1] += rng.choice(["", "", ",", ";", " –"])
    return " ".join(said).capitalize() + rng.choice(".....!?…")


def prose(rng: random.Random, words: str = ENGLISH, most: int = 4) -> str:
    """Some sentences, with a paragraph now and then."""
    return "".join(sentence(rng, words) + rng.choice([" ", " ", "\n\n"]) for _ in range(rng.randint(1, most))).strip()


def wide(rng: random.Random, characters: str) -> str:
    """Sentences without spaces."""
    sentences = ("".join(rng.choices(characters, k=rng.randint(4, 40))) + "。" for _ in range(rng.randint(1, 4)))
    return "".join(sentences)


def dialogue(rng: random.Random) -> str:
    """Two people, two to eight lines."""
    names = rng.sample(NAMES, 2)
    return "\n".join(f"{names[line % 2]}: {sentence(rng, ENGLISH)}" for line in range(rng.randint(2, 8)))


def tagged(rng: random.Random) -> str:
    """A tag before each sentence."""
    return " ".join(f"{rng.choice(TAGS)} {sentence(rng, ENGLISH)}" for _ in range(rng.randint(1, 4)))


def figures(rng: random.Random) -> str:
    """Prose with numbers, signs and an address."""
    number, price = rng.randint(10**8, 10**9), rng.random() * 1e4
    return f"{prose(rng)} Call {number} by 12:30, pay ${price:,.2f} (20 % off) & see a.example/x_y."


KINDS: Final[dict[str, Callable[[random.Random], str]]] = {
    "short": lambda rng: rng.choice(SHORT),
    "sentence": lambda rng: sentence(rng, ENGLISH),
    "prose": prose,
    "long": lambda rng: prose(rng, most=25),
    "russian": lambda rng: prose(rng, RUSSIAN),
    "hindi": lambda rng: prose(rng, HINDI),
    "korean": lambda rng: prose(rng, KOREAN),
    "chinese": lambda rng: wide(rng, CHINESE),
    "japanese": lambda rng: wide(rng, JAPANESE),
    "dialogue": dialogue,
    "tagged": tagged,
    "prompted": lambda rng: f"{rng.choice(PROMPTS)} {prose(rng)}",
    "figures": figures,
}


class Case(NamedTuple):
    """One answer of the API."""

    kind: str
    text: str
    body: bytes


def case(rng: random.Random, kind: str, effect: Effect, *, kept: float = 1.0) -> Case:
    """A text of this kind, its voice and model, and the alterations of its take."""
    text = KINDS[kind](rng)
    first, second = rng.sample(CAST, 2)
    both = kind == "dialogue" and rng.random() < 0.7
    model = MODELS[rng.choice(list(MODELS))]
    pcm = speak(Utterance(text, first, second if both else None, model.understands_tags))
    body = takes.body(effect, pcm, str)[1]
    return Case(kind, text, body[: int(len(body) * kept)])


def verdict(path: Path, tried: Case) -> str | None:
    """Why the take is refused; None where it is good."""
    path.write_bytes(tried.body)
    try:
        take = accept(path)
    except BadAudioError as error:
        return error.reason
    refused = refusal(measure(take), tried.text, GateLimits())
    return refused.flaw.value if refused else None


def cases(rng: random.Random) -> Iterator[tuple[str, Case]]:
    """The stated share of each fault, over texts of all kinds, in any order; the rest is good."""
    faults = [
        *[("truncated", Effect(take=Take.TRUNCATED), 1.0)] * (TAKES * 5 // 100),
        *[("silent", Effect(take=Take.SILENT), 1.0)] * (TAKES * 2 // 100),
        *[("empty", Effect(take=Take.EMPTY), 1.0)] * (TAKES * 2 // 100),
        *[("repeated", Effect(take=Take.REPEATED), 1.0)] * (TAKES * 1 // 100),
        *[("cut off", Effect(), 0.3)] * (TAKES * 1 // 100),
    ]
    every = faults + [("good", Effect(), 1.0)] * (TAKES - len(faults))
    rng.shuffle(every)
    for number, (fault, effect, kept) in enumerate(every):
        yield fault, case(rng, list(KINDS)[number % len(KINDS)], effect, kept=kept)


def test_bad_takes_are_refused_and_good_ones_are_not(tmp_path: Path) -> None:
    """Of takes that are bad in 11 % of all cases, in five ways, at least 99 % of the bad and no good one is refused."""
    found: dict[str, Counter[str]] = {}
    wrongly: list[tuple[str, str | None, Case]] = []
    for fault, tried in cases(random.Random(1)):
        why = verdict(tmp_path / "take", tried)
        found.setdefault(fault, Counter())[why or "accepted"] += 1
        if (why is None) != (fault == "good"):
            wrongly.append((fault, why, tried))
    bad = sum(sum(counts.values()) for fault, counts in found.items() if fault != "good")
    missed = [tried for fault, _, tried in wrongly if fault != "good"]
    for fault, counts in found.items():
        print(f"{fault:>10}: " + ", ".join(f"{count} {why}" for why, count in counts.most_common()))
    print(f"{bad - len(missed)} of {bad} bad takes refused, {len(wrongly) - len(missed)} of {TAKES - bad} good ones")
    assert [(why, tried.text) for fault, why, tried in wrongly if fault == "good"] == []
    assert len(missed) <= bad / 100, [tried.text for tried in missed]


def test_truncation_as_it_was_seen_in_the_field(tmp_path: Path) -> None:
    """With 13 to 46 % left, at least 97 of 100 are refused; the others may have unspoken markup, or end in a pause."""
    rng = random.Random(3)
    tried, refused = Counter[str](), Counter[str]()
    for number in range(650):
        kind = list(KINDS)[number % len(KINDS)]
        take = case(rng, kind, Effect(take=Take.TRUNCATED, share=rng.uniform(*FIELD_SHARES)))
        tried[kind] += 1
        refused[kind] += verdict(tmp_path / "take", take) is not None
    print(", ".join(f"{kind} {refused[kind]}/{tried[kind]}" for kind in KINDS))
    assert refused.total() >= 0.97 * tried.total()
