"""The quick way of judging rows and pydantic's: whatever the row, they come to the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from api_models.registry import MODELS
from api_models.speech import JobRequest, Speech
from worker.intake.fast_rows import MAX_KINDS, FastRows

VALUES: dict[str, list[object]] = {
    "model": [*MODELS, "gemini-9", " gemini-3.1-flash-tts", 3],
    "voice_1": ["Kore", "Puck", "kore", "Kore ", "", "Unknown", 7],
    "voice_2": ["Zephyr", "zephyr"],
    "temperature": ["0.4", " 1 ", "2.5", "0,4", "nan", "-0", 0.4, 0.0, -0.0, 0, 2, 3, True, False, float("nan")],
    "priority": ["5", " 5", "5.0", "101", 5, 5.0, True, "high"],
    "not_before": ["2026-12-01T08:00:00Z", "2026-12-01T08:00:00", "2026-12-01T09:00:00+01:00", 20261201],
    "deadline": ["2026-12-01T08:00:00Z", "2026-11-01T08:00:00Z", "soon"],
    "cache": ["use", "bypass", "Use"],
    "variant": ["0", "3", 3, -1],
    "tags": [("a", "b"), ("a", "a"), ["a"], "a", ("a b",)],
    "format": ["mp3", "MP3", "mp4"],
    "loudness": ["-16", -16, "1"],
    "expires_after": ["30d", 60, "soon"],
    "speed": ["1"],
}
TEXTS = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(), max_size=30),
    st.sampled_from(["Hello.", "…", " ", "\x00a", "a\ud800", "x" * 5_000, "ä" * 2_500, 7, None, "A\tb"]),
)
NAMES = st.one_of(
    st.from_regex(r"[A-Za-z0-9_.-]{1,20}", fullmatch=True),
    st.text(max_size=8),
    st.sampled_from(["intro", "a" * 200, "a" * 201, ".a", "a.", " a", "a/b", "a\n", "é", 7, True, None, 10**201]),
)
FIELDS = st.fixed_dictionaries(
    {"text": TEXTS, "custom_id": NAMES}, optional={name: st.sampled_from(values) for name, values in VALUES.items()}
)


def thoroughly(
    fields: dict[str, Any], defaults: dict[str, object], context: dict[str, int | None]
) -> JobRequest | None:
    """What pydantic makes of it."""
    try:
        return JobRequest.model_validate(defaults | fields, context=context)
    except ValidationError:
        return None


@settings(max_examples=400, deadline=None)
@given(
    rows=st.lists(FIELDS, min_size=1, max_size=4),
    limit=st.sampled_from([None, 5, 40]),
    defaults=st.sampled_from([{}, {"voice_1": "Puck", "temperature": 0.7}, {"priority": 3, "tags": ("x",)}]),
)
@example(
    rows=[{"text": "a", "custom_id": "a", "temperature": 0.0}, {"text": "a", "custom_id": "b", "temperature": -0.0}],
    limit=None,
    defaults={},
)
@example(
    rows=[{"text": "a", "custom_id": "a", "priority": 1}, {"text": "a", "custom_id": "b", "priority": True}],
    limit=None,
    defaults={},
)
def test_both_ways_come_to_the_same(rows: list[dict[str, Any]], limit: int | None, defaults: dict[str, object]) -> None:
    """What passes the quick way is what pydantic makes, field by field and byte by byte; it passes nothing else."""
    context = {"max_text_bytes": limit}
    quick = FastRows(defaults, context)
    for row in rows:
        made = quick.request(row)
        if made is None:
            continue
        expected = thoroughly(row, defaults, context)
        assert expected is not None, row
        assert made == expected
        assert repr(made) == repr(expected)
        assert made.model_fields_set == expected.model_fields_set
        assert made.model_dump_json() == expected.model_dump_json()
        prints = [one.fingerprint(origin="o", audio_format=one.form) for one in (made, expected)]
        assert prints[0] == prints[1]


@pytest.mark.parametrize(
    "row",
    [
        {"text": "Hello.", "custom_id": "intro"},
        {"text": "Grüße, 語.", "custom_id": "a-1_b", "voice_1": "Kore"},
        {"text": "Hello.", "custom_id": "x", "temperature": "0.4", "priority": "5", "tags": ("news",)},
    ],
)
def test_ordinary_rows_go_the_quick_way(row: dict[str, Any]) -> None:
    """Or it would be of no use."""
    assert FastRows({}, {"max_text_bytes": None}).request(row) is not None


def test_a_sheet_of_ever_new_values_is_not_remembered() -> None:
    """What is remembered is bounded; the rest goes the thorough way."""
    quick = FastRows({}, {"max_text_bytes": None})
    made = [quick.request({"text": "a", "custom_id": "a", "variant": str(n)}) for n in range(MAX_KINDS + 1)]
    assert made[-2] is not None
    assert made[-1] is None


@given(
    parts=st.tuples(*[st.text(st.characters(exclude_categories=["Cs"]), max_size=20)] * 3),
    voice=st.none() | st.text(max_size=5).filter(lambda text: text.isprintable()),
    temperature=st.none() | st.floats(0, 2),
)
def test_the_fingerprint_is_that_of_canonical_json(
    parts: tuple[str, str, str], voice: str | None, temperature: float | None
) -> None:
    """Byte for byte what json.dumps makes of the parts: audio that was bought before is found again."""
    origin, text, audio_format = parts
    speech = Speech.model_construct(model="m", text=text, voice_1=voice, voice_2=None, temperature=temperature)
    canonical = json.dumps(
        [origin, "m", text, voice, None, temperature, audio_format], ensure_ascii=False, separators=(",", ":")
    )
    found = speech.fingerprint(origin=origin, audio_format=audio_format)
    assert found == hashlib.sha256(canonical.encode()).hexdigest()
