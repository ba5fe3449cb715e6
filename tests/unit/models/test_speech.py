"""The rules a request must meet before it costs, and what is sent of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from api_models.problems import faults_of
from api_models.registry import DEFAULT_MODEL, MODELS, VOICES
from api_models.speech import JobRequest


def faults(**fields: object) -> list[str]:
    """The faults of a request that would be sound but for `fields`; `limit` is the operator's limit of text."""
    limit = fields.pop("limit", None)
    try:
        JobRequest.model_validate({"text": "Hello."} | fields, context={"max_text_bytes": limit})
    except ValidationError as error:
        return [str(fault) for fault in faults_of(error)]
    return []


def request(**fields: object) -> JobRequest:
    return JobRequest.model_validate({"text": "Hello."} | fields)


def test_only_what_the_caller_set_is_sent() -> None:
    """The body holds the text and the fields given; a voice left out is left out, never empty."""
    assert request(voice_2="", temperature=" ").body() == {"text": "Hello."}
    assert request(voice_1="Kore", voice_2="Puck", temperature="0").body() == {
        "text": "Hello.",
        "voice_1": "Kore",
        "voice_2": "Puck",
        "temperature": 0.0,
    }


@pytest.mark.parametrize("voice", VOICES)
def test_every_voice_of_the_vendor_is_taken(voice: str) -> None:
    """All thirty are accepted for both speakers of both models."""
    for model in MODELS:
        assert not faults(model=model, voice_1=voice, voice_2=voice)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"text": ""}, ["text: is empty; give the words to be spoken"]),
        ({"text": " \n\t"}, ["text: is empty; give the words to be spoken"]),
        ({"text": "— … !"}, ["text: has no letter or digit to speak; give the words to be spoken"]),
        ({"text": "a\x00b"}, ["text: contains a NUL character; remove it"]),
        ({"text": "a\ud83d"}, ["text: contains half of a surrogate pair; write the whole character"]),
        ({"text": None}, ["text: must be text"]),
        ({"text": 7}, ["text: must be text"]),
        ({"voice_1": "Kora"}, ['voice_1: no voice "Kora"; did you mean "Kore"? (`ttsq voices` lists all 30)']),
        ({"voice_2": "Bob"}, ['voice_2: no voice "Bob" (`ttsq voices` lists all 30)']),
        ({"voice_1": 3}, ["voice_1: must be text"]),
        ({"temperature": 2.01}, ["temperature: 2.01 is outside 0 to 2; give a number in that range, such as 0.4"]),
        ({"temperature": "-1"}, ["temperature: -1 is outside 0 to 2; give a number in that range, such as 0.4"]),
        ({"temperature": "nan"}, ["temperature: nan is outside 0 to 2; give a number in that range, such as 0.4"]),
        ({"temperature": 10**309}, ["temperature: inf is outside 0 to 2; give a number in that range, such as 0.4"]),
        ({"temperature": "warm"}, ['temperature: "warm" is not a number; give one such as 0.4']),
        (
            {"temperature": "0,4,1"},
            ['temperature: "0,4,1" is not a number; give one such as 0.4'],
        ),
        ({"temperature": True}, ["temperature: true is not a number; give one such as 0.4"]),
        ({"temperature": []}, ["temperature: [] is not a number; give one such as 0.4"]),
        ({"priority": "high"}, ["priority: must be a whole number"]),
        ({"priority": 1.5}, ["priority: must be a whole number"]),
        ({"priority": 101}, ["priority: must be at most 100"]),
        ({"priority": -101}, ["priority: must be at least -100"]),
        ({"cache": "maybe"}, ["cache: must be 'use' or 'bypass'"]),
        ({"not_before": 5}, ["not_before: 5 is not a time; write it as 2026-12-01T08:00:00Z"]),
        ({"not_before": "tomorrow"}, ['not_before: "tomorrow" is not a time; write it as 2026-12-01T08:00:00Z']),
        ({"deadline": "9999-12-31T23:59-14:00"}, ['deadline: "9999-12-31T23:59-14:00" lies outside the calendar']),
        ({"colour": 1}, ["colour: is not a known field; remove it or mend its spelling"]),
    ],
)
def test_a_fault_says_what_is_wrong_and_what_would_be_right(fields: dict[str, object], expected: list[str]) -> None:
    """Each broken rule yields one fault at its field, without jargon."""
    assert faults(**fields) == expected


def test_a_time_without_a_zone_is_refused() -> None:
    """Its moment would be ambiguous."""
    assert faults(deadline="2026-12-01T08:00") == [
        (
            'deadline: "2026-12-01T08:00" has no time zone; write 2026-12-01T08:00:00Z for UTC, '
            "or end it with an offset such as +02:00"
        )
    ]


def test_times_become_utc() -> None:
    """Whatever zone a time came with, it is kept in UTC; a blank one isn't given."""
    two_hours_east = timezone(timedelta(hours=2))
    job = request(not_before="2026-12-01T10:00+02:00", deadline=datetime(2026, 12, 2, 10, tzinfo=two_hours_east))
    assert job.not_before == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert job.not_before.tzinfo is UTC
    assert job.deadline is not None
    assert job.deadline.tzinfo is UTC
    assert request(not_before=" ").not_before is None


def test_a_deadline_before_the_start_is_refused() -> None:
    """Such a job could never start; equal times leave it one moment."""
    start = datetime(2026, 12, 1, tzinfo=UTC)
    assert faults(not_before=start, deadline=start - timedelta(seconds=1)) == [
        "deadline: lies before not_before, so the job could never start"
    ]
    assert not faults(not_before=start, deadline=start)


def test_the_text_limit_counts_bytes_of_utf_8() -> None:
    """4,000 bytes pass and one more doesn't; an accented letter counts as two."""
    assert not faults(text="a" * 4_000)
    assert not faults(text="é" * 2_000)
    assert faults(text="é" * 2_000 + "a") == [
        "text: is 4,001 bytes of UTF-8, over the limit of 4,000 a request; split it into shorter lines"
    ]


def test_the_operators_text_limit_replaces_the_models() -> None:
    """The limit of the settings may be lower or higher than the registry's."""
    assert faults(text="abcd", limit=3) == [
        "text: is 4 bytes of UTF-8, over the limit of 3 a request; split it into shorter lines"
    ]
    assert not faults(text="a" * 5_000, limit=5_000)


@pytest.mark.parametrize("model", ["gemini-3.1-flash", ["gemini-3.1-flash-tts"], {}, 31, "\ud83d"])
def test_an_unknown_model_is_one_fault(model: object) -> None:
    """Whatever stands for the model, the other fields are not blamed for it."""
    found = faults(model=model, voice_1="Kore", temperature=1.5, text="a" * 4_000)
    assert len(found) == 1
    assert found[0].startswith("model: no model ")
    assert found[0].endswith("(known: gemini-3.1-flash-tts, gemini-2.5-flash-tts)")


def test_a_misspelt_model_is_recognised() -> None:
    """The closest slug is offered."""
    assert 'no model "gemini-3.1-flash"; did you mean "gemini-3.1-flash-tts"?' in faults(model="gemini-3.1-flash")[0]


def test_what_no_model_takes_is_a_fault_beside_an_unknown_model() -> None:
    """Independent faults are reported together, so that one round of mending is enough."""
    assert [line.split(":")[0] for line in faults(model="x", text="a" * 4_001, voice_1="Bob", temperature=3)] == [
        "model",
        "text",
        "voice_1",
        "temperature",
    ]


def test_a_blank_model_is_the_default() -> None:
    """An empty cell of a sheet means the default model."""
    assert request(model="").model == request(model=None).model == DEFAULT_MODEL


@pytest.mark.parametrize("name", ["intro", "kapitel 1", "Überschrift", "日本語", "a.b", 7, "é" * 100])
def test_usable_names_are_taken(name: object) -> None:
    """A custom_id may be anything that names a file everywhere; numbers become text."""
    assert request(custom_id=name).custom_id == str(name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a/b", "contains /"),
        ("a?b*", "contains * ?"),
        ("..", "begins or ends with a space or a dot"),
        (".hidden", "begins or ends with a space or a dot"),
        ("tail ", "begins or ends with a space or a dot"),
        ("a\nb", "contains an invisible character"),
        ("a\u202eb", "contains an invisible character"),
        ("a\ud83d", "contains an invisible character"),
        ("é" * 101, "is longer than 200 bytes of UTF-8"),
    ],
)
def test_unusable_names_are_refused(name: str, why: str) -> None:
    """A custom_id that couldn't name a file on some system is a fault that quotes it and says why."""
    (fault,) = faults(custom_id=name)
    assert fault.endswith(f" {why}; the audio file is named after it")
    fault.encode()


@pytest.mark.parametrize("name", [True, 1.5, [], pytest.param(10**5000, id="a number of 5,001 digits")])
def test_a_name_is_text_or_a_whole_number(name: object) -> None:
    """Nothing else is turned into a file name."""
    assert faults(custom_id=name) == ["custom_id: must be text"]


def test_equal_speech_has_equal_fingerprints() -> None:
    """The spelling of a number, and the options of the queue, don't change the audio."""
    first = request(temperature="0", custom_id="a", priority=3).fingerprint(origin="o", audio_format="wav")
    assert first == request(temperature=0.0, custom_id="b").speech().fingerprint(origin="o", audio_format="wav")
    assert len(first) == 64
    assert set(first) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "other",
    [
        {"text": "Hello"},
        {"model": "gemini-2.5-flash-tts"},
        {"voice_1": "Kore"},
        {"voice_2": "Kore"},
        {"temperature": 0.4},
    ],
)
def test_everything_that_is_heard_changes_the_fingerprint(other: dict[str, object]) -> None:
    """Two requests share a paid call only if all of the speech is equal."""
    plain = request().fingerprint(origin="o", audio_format="wav")
    assert request(**other).fingerprint(origin="o", audio_format="wav") != plain


def test_a_variant_is_a_content_of_its_own_and_none_is_the_plain_one() -> None:
    """Takes are distinguished by number; a request without a number means zero."""
    plain, zero, one, two = request(), request(variant=0), request(variant="1"), request(variant=2)
    prints = [job.fingerprint(origin="o", audio_format="wav") for job in (plain, zero, one, two)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_origin_and_format_change_the_fingerprint() -> None:
    """Audio of a rehearsal, or in another format, is other audio."""
    job = request()
    assert (
        len(
            {
                job.fingerprint(origin="a", audio_format="wav"),
                job.fingerprint(origin="b", audio_format="wav"),
                job.fingerprint(origin="a", audio_format="mp3"),
            }
        )
        == 3
    )


def test_a_form_is_part_of_the_content() -> None:
    """Whatever decides what the file holds changes the fingerprint; what was bought as WAV keeps the one it had."""
    plain = request()
    others = (request(format="mp3"), request(format="flac"), request(loudness=-16), request(loudness=-20, format="mp3"))
    prints = {job.fingerprint(origin="o", audio_format=job.form) for job in (plain, *others)}
    assert len(prints) == 5
    assert plain.form == request(format=" WAV ").form == request(format="").form == "wav"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format": "mp4"}, 'no format "mp4"; did you mean "mp3"? (known: wav, flac, mp3, opus)'),
        ({"format": 3}, "no format 3 (known"),
        ({"loudness": -3}, "-3 is outside -36 to -9 LUFS"),
        ({"loudness": "nan"}, "is outside"),
        ({"expires_after": "soon"}, '"soon" is no length of time'),
        ({"expires_after": 0}, "0 is no length of time"),
        ({"expires_after": "20y"}, '"20y" is no length'),
        ({"expires_after": 1.5}, "1.5 is no length"),
        ({"expires_after": True}, "true is no length"),
    ],
)
def test_unusable_outputs_are_refused_with_a_remedy(fields: dict[str, object], words: str) -> None:
    """Each refusal says what would be right."""
    with pytest.raises(ValidationError) as caught:
        request(**fields)
    assert words in str(faults_of(caught.value)[0])


@pytest.mark.parametrize(
    ("given", "seconds"), [("30d", 2_592_000), ("12h", 43_200), (90, 90), ("90", 90), ("2 w", 1_209_600), ("", None)]
)
def test_a_length_of_time_is_seconds_or_has_a_unit(given: object, seconds: int | None) -> None:
    """As sheets, JSON and people write it."""
    assert request(expires_after=given).expires_after == seconds


@pytest.mark.parametrize(("typed", "meant"), [("kore", "Kore"), (" KORE ", "Kore"), ("puck", "Puck"), ("Leda", "Leda")])
def test_voices_and_models_are_known_in_any_case(typed: str, meant: str) -> None:
    """They become the one spelling that the API knows, so the same content has the same fingerprint."""
    made = JobRequest.model_validate({"text": "a", "voice_1": typed, "model": " Gemini-3.1-Flash-TTS"})
    assert (made.voice_1, made.model) == (meant, "gemini-3.1-flash-tts")
    assert made == JobRequest(text="a", voice_1=meant, model="gemini-3.1-flash-tts")
