"""The gate: which measures are refused as speech of which text, and that no good take ever is."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from api_models.registry import MODELS
from worker.audio.gate import Flaw, GateLimits, Refusal, expected_seconds, refusal
from worker.audio.measurement import measure
from worker.audio.measures import Measures
from worker.audio.spoken import Weight, weigh
from worker.audio.take import accept
from worker.emulator.voice.score import Note, score, turns
from worker.emulator.voice.synthesis import Utterance, speak
from worker.emulator.voice.wav import wav
from worker.intake.reader import read_all

EXAMPLES = Path(__file__).parents[3] / "examples"
LIMITS = GateLimits()
PROSE = "The harbour was quiet at dawn, and the boats, still tied up, rocked a little. Who would sail out first?"
"""99 weighted characters: 6.6 seconds at 15 a second."""


def measures(seconds: float, **others: float) -> Measures:
    """A sound take of this length."""
    sound = Measures(seconds, -6.0, -20.0, 0.2, 0.4, 0.2)
    return dataclasses.replace(sound, **others)


def flaw(found: Measures, text: str, limits: GateLimits = LIMITS) -> Flaw | None:
    """Why it is refused."""
    refused = refusal(found, text, limits)
    return refused.flaw if refused else None


def heard(folder: Path, utterance: Utterance, text: str | None = None) -> Refusal | None:
    """The emulator's good take before the gate, as speech of `text`, or else of what was uttered."""
    path = folder / "take"
    path.write_bytes(wav(speak(utterance)))
    return refusal(measure(accept(path)), utterance.text if text is None else text, LIMITS)


@pytest.mark.parametrize(
    ("found", "text", "expected"),
    [
        (measures(7), PROSE, None),
        (measures(7, peak_dbfs=-49.0), PROSE, None),
        (measures(7, peak_dbfs=-51.0), PROSE, Flaw.SILENT),
        (measures(7, peak_dbfs=-120.0, silence_share=1.0), PROSE, Flaw.SILENT),
        (measures(7, silence_share=0.59), PROSE, None),
        (measures(7, silence_share=0.61), PROSE, Flaw.MOSTLY_SILENT),
        (measures(1.5, silence_share=0.8), "Yes.", None),
        (measures(3.0, silence_share=0.8), "Yes.", Flaw.MOSTLY_SILENT),
        (measures(20, longest_silence_s=9.0), PROSE, None),
        (measures(20, longest_silence_s=11.0), PROSE, Flaw.MOSTLY_SILENT),
        (measures(3.9), PROSE, None),
        (measures(3.7), PROSE, Flaw.TOO_SHORT),
        (measures(4.9, tail_silence_s=0.0), PROSE, Flaw.UNFINISHED),
        (measures(5.0, tail_silence_s=0.0), PROSE, None),
        (measures(0.12), "Yes, sure", Flaw.TOO_SHORT),
        (measures(0.32), "Yes, sure", None),
        (measures(25), PROSE, None),
        (measures(40), PROSE, Flaw.TOO_LONG),
        (measures(14, repeat_after_s=7.0, repeat_likeness=0.9), PROSE, Flaw.REPEATED),
        (measures(14, repeat_after_s=7.0, repeat_likeness=0.5), PROSE, None),
        (measures(8, repeat_after_s=4.0, repeat_likeness=0.9), PROSE, None),
    ],
)
def test_what_is_refused(found: Measures, text: str, expected: Flaw | None) -> None:
    """Silence, length, a broken end and repetition, each by its threshold."""
    assert flaw(found, text) is expected


@pytest.mark.parametrize(
    ("found", "numbers"),
    [
        (measures(2.04), ("2.0 s", "3.8 s")),
        (measures(99), ("99.0 s", "26")),
        (measures(7, peak_dbfs=-72.4), ("-72 dBFS", "-50")),
        (measures(10, silence_share=0.71), ("7.1 s", "10.0 s")),
        (measures(4.9, tail_silence_s=0.0), ("4.9 s", "6.6 s")),
        (measures(14, repeat_after_s=7.0, repeat_likeness=0.9), ("7.0 s", "14.0 s", "6.6 s")),
    ],
)
def test_the_message_has_the_numbers(found: Measures, numbers: tuple[str, ...]) -> None:
    """What was measured, and what was expected."""
    refused = refusal(found, PROSE, LIMITS)
    assert refused is not None
    assert all(number in refused.message for number in numbers), refused.message


def test_thresholds_are_settings() -> None:
    """Each limit moves what is refused."""
    assert flaw(measures(3), PROSE) is Flaw.TOO_SHORT
    assert flaw(measures(3), PROSE, dataclasses.replace(LIMITS, min_length=0.3)) is None
    assert flaw(measures(3), PROSE, dataclasses.replace(LIMITS, characters_per_second=30.0)) is None
    assert flaw(measures(7, silence_share=0.7), PROSE, dataclasses.replace(LIMITS, max_silence_share=1.0)) is None


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("", Weight(0, 0, 0)),
        ("hello", Weight(5, 5, 5)),
        ("hello there", Weight(11, 11, 11)),
        ("  hello  ", Weight(5, 6, 9)),
        ("你好", Weight(6, 6, 6)),
        ("안녕", Weight(6, 6, 6)),
        ("Ｈｉ", Weight(2, 6, 6)),
        ("かな", Weight(4, 6, 6)),
        ("¡¡¡ ... --- 🙂🙂", Weight(0, 0, 30)),
        ("1984", Weight(4, 4, 24)),
        ("one\ntwo", Weight(6, 6, 13)),
        ("[whispers] hush", Weight(4, 13, 15)),
        ("(softly) hush", Weight(4, 11, 13)),
        ("Ann: hush\nBob: hello", Weight(9, 17, 30)),
        ("Дарья： тише", Weight(4, 10, 13)),
        ("At 12:30 we go", Weight(14, 14, 36)),
        ("Say warmly, as if to a friend who is far away. Take your time: hush", Weight(4, 64, 77)),
        ("So it went on for years. And then he said: hush", Weight(45, 45, 57)),
        ("# Scene\nA long night at sea.\n## Transcript\nhush", Weight(4, 39, 86)),
    ],
)
def test_the_weight_of_a_text(text: str, weight: Weight) -> None:
    """Markup counts only where everything is; wide characters count three, kana two where it matters."""
    assert weigh(text) == weight


MARKED = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.sampled_from(["Ann: ", "\nBob: ", "\n", "[laughs] ", "(", ")", "[", "]", "# ", "Say warmly: ", ": ", ". "]),
        st.sampled_from(["日本語", "かなカナ", "ｶﾞ", "Ｈｉ", "हिन्दी", "e\u0301", "ß", "İ", "½", "_", "’"]),
    ),
    max_size=12,
).map("".join)


@given(text=MARKED, two_speakers=st.booleans(), tags=st.booleans())
def test_what_is_said_for_certain_is_never_more_than_is_said(text: str, *, two_speakers: bool, tags: bool) -> None:
    """The emulator, which leaves tags and names unspoken or not, says at least that much of any text."""
    # It takes what stands before a time, such as 12:30, for a name; the gate doesn't.
    assume(not re.search(r"\d:", text))
    spoken = turns(text, two_speakers=two_speakers, tags=tags)
    said = sum(event.weight for _, words in spoken for event in score(words) if isinstance(event, Note))
    least, written, most = weigh(text)
    assert least <= said
    assert least <= most
    assert written <= most


@given(
    words=st.lists(st.from_regex(r"[a-zäöüéа-яא-ת]{1,12}[,.!?]?", fullmatch=True), min_size=1, max_size=60),
    pace=st.floats(9, 22),
    ends=st.floats(0.05, 0.7),
)
def test_any_usual_pace_is_good(words: list[str], pace: float, ends: float) -> None:
    """From a slow reading (9 characters a second) to a hurried one (22), with more or less silence at the ends."""
    text = " ".join(words)
    assert flaw(measures(len(text) / pace + ends), text) is None


@given(
    text=st.text("abcdefghij klmnopqrstuvwxyz,.!?\n-'", min_size=60, max_size=400).filter(
        lambda text: weigh(text).least > 50
    ),
    share=st.floats(0.13, 0.3),
)
def test_a_third_of_the_text_is_too_short(text: str, share: float) -> None:
    """Read at 15 characters a second with pauses of a tenth, and cut where nothing is heard."""
    whole = weigh(text).written / 15 * 1.1 + 0.3
    assert flaw(measures(whole * share), text) is Flaw.TOO_SHORT


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=MARKED, two_speakers=st.booleans(), tags=st.booleans())
def test_no_good_take_is_refused(tmp_path: Path, text: str, *, two_speakers: bool, tags: bool) -> None:
    """Whatever the text, the emulator's speech passes."""
    assume(not re.search(r"\d:", text))
    assert heard(tmp_path, Utterance(text, "Kore", "Puck" if two_speakers else None, tags)) is None


@pytest.mark.parametrize("name", ["welcome.csv", "lines.txt", "lines.jsonl"])
def test_no_example_is_refused(tmp_path: Path, name: str) -> None:
    """Each line as the emulator speaks it, by either model, with its second voice and without."""
    requests = [row.request for row in read_all(EXAMPLES / name)]
    assert requests
    for request in requests:
        for model in MODELS.values():
            for second in {request.voice_2, None}:
                utterance = Utterance(request.text, request.voice_1 or "Kore", second, model.understands_tags)
                assert heard(tmp_path, utterance) is None, request.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Read slowly, like the last page of a book you don't want to end. Be gentle: Good night.", "Good night."),
        ("Sag leise und freundlich: Guten Abend, meine Damen und Herren!", "Guten Abend, meine Damen und Herren!"),
        (
            "# Profile\nA radio host, loud and fast.\n## Transcript\nGood morning, everybody!",
            "Good morning, everybody!",
        ),
        ("[sighs] [whispers] [speaking very slowly] Fine.", "Fine."),
        ("1,999,999", "one million nine hundred ninety-nine thousand nine hundred ninety-nine"),
        (
            "$99.95 + 7 % = $106.95",
            "ninety-nine dollars ninety-five plus seven percent is a hundred and six ninety-five",
        ),
        ("A B C D", "ay, bee, see, dee"),
        ("Hello. Hello. Hello. Hello.", "Hello. Hello. Hello. Hello."),
        ("a" * 400, "a" * 400),
        ("Ha! " * 30, "Ha! " * 30),
        ("Ann: No.\nAnn: No.\nAnn: No.\nAnn: No.", "Ann: No.\nAnn: No.\nAnn: No.\nAnn: No."),
        ("キで本すト本意はキ読キた読モもとす。", "キで本すト本意はキ読キた読モもとす。"),
    ],
)
def test_readings_that_differ_from_the_writing(tmp_path: Path, text: str, said: str) -> None:
    """Directions left unspoken, figures read as words, and texts that repeat themselves are no fault of the take."""
    assert heard(tmp_path, Utterance(said, "Charon"), text) is None


def test_expected_seconds() -> None:
    """Fifteen weighted characters a second; a second on top where everything is counted."""
    assert expected_seconds("hello", LIMITS) == (5 / 15, 5 / 15, 5 / 15 + 1)
    assert expected_seconds("[laughs] 日本", LIMITS).least == 6 / 15


def test_the_gate_needs_no_numpy() -> None:
    """Judging is arithmetic: only measuring pays for the import."""
    program = "import sys, worker.audio.gate; print({'numpy', 'soundfile'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
