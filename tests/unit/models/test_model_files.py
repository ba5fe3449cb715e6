"""A user's models file: what it adds and changes, and a message with line and field for whatever is wrong in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_models.model_entry import ModelEntry
from api_models.model_file import BUILT_IN, built_in_models, user_models
from api_models.problems import InvalidInputError
from api_models.registry import MODELS, VOICES
from api_models.speech import JobRequest
from api_models.speech_model import TagDialect
from tests.unit.models.models_files import EXAMPLE, NEW_PRICE, changed
from tests.unit.models.test_speech import faults


@pytest.fixture
def acme() -> Iterator[None]:
    """The registry with the example's model."""
    MODELS.install(user_models(EXAMPLE, "models.toml"))
    yield
    MODELS.install({})


def errors(text: str) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        user_models(text, "models.toml")
    return [str(fault) for fault in caught.value.faults]


def line(fragment: str, text: str = EXAMPLE) -> int:
    return next(number for number, content in enumerate(text.splitlines(), 1) if fragment in content)


def test_the_built_in_file_meets_its_own_rules() -> None:
    """It is read without validation, because every command waits for it."""
    data = json.loads(BUILT_IN.read_text(encoding="utf-8"))
    for slug, entry in data["models"].items():
        checked = ModelEntry.model_validate({**entry, "voices": data["voice_sets"][entry["voices"]]})
        assert checked.successor in {None, *data["models"]}
        assert set(built_in_models()[slug].descriptors) == set(checked.voices)


@pytest.mark.usefixtures("acme")
def test_a_file_adds_a_model_beside_the_built_in_ones() -> None:
    """With its voices, which are known everywhere."""
    model = MODELS["acme-voice"]
    assert list(MODELS)[:2] == ["gemini-3.1-flash-tts", "gemini-2.5-flash-tts"]
    assert MODELS.own == {"acme-voice"}
    assert (model.tags, model.understands_tags, model.max_speakers) == (TagDialect.ANGLE, True, 1)
    assert VOICES["ada"] == "Calm"
    assert len(VOICES) == 32
    MODELS.install({})
    assert len(VOICES) == 30
    assert "acme-voice" not in MODELS


@pytest.mark.usefixtures("acme")
def test_jobs_keep_to_the_rules_of_their_model() -> None:
    """Each field of a job is taken, bounded or refused as the entry says."""
    assert not faults(model="ACME voice", voice_1="ADA", temperature=1)
    assert faults(model="acme-voice", voice_1="Kore") == ['voice_1: no voice "Kore" (`ttsq voices` lists all 2)']
    assert faults(model="acme-voice", voice_2="bob") == [
        "voice_2: needs a model with two speakers, and acme-voice has one; leave it out"
    ]
    assert faults(model="acme-voice", temperature=1.5) == [
        "temperature: 1.5 is outside 0 to 1; give a number in that range, such as 0.4"
    ]
    assert faults(model="acme-voice", text="x" * 2_001) == [
        "text: is 2,001 bytes of UTF-8, over the limit of 2,000 a request; split it into shorter lines"
    ]
    assert faults(voice_1="ada") == ['voice_1: no voice "ada" (`ttsq voices` lists all 30)']


@pytest.mark.usefixtures("acme")
def test_the_body_has_the_names_of_the_api() -> None:
    """Required defaults and constants are sent, other unset fields are not."""
    request = JobRequest(text="Hello.", model="acme-voice")
    assert request.body() == {"prompt": "Hello.", "voice": "ada", "language": "en"}
    full = JobRequest(text="Hello.", model="acme-voice", voice_1="bob", temperature=0.5)
    assert full.body() == {"prompt": "Hello.", "voice": "bob", "variability": 0.5, "language": "en"}


def test_other_constants_are_other_content() -> None:
    """What was bought with one constant is not used for another; built-in models keep their fingerprints."""
    prints = set()
    for text in (
        EXAMPLE,
        changed('language = "en"', 'language = "de"'),
        changed('default_voice = "ada"', 'default_voice = "bob"'),
    ):
        MODELS.install(user_models(text, "models.toml"))
        prints.add(JobRequest(text="Hello.", model="acme-voice").fingerprint(origin="", audio_format="wav"))
    MODELS.install({})
    assert len(prints) == 3
    assert JobRequest(text="Hello.").content(origin="o", audio_format="wav") == (
        '["o","gemini-3.1-flash-tts","Hello.",null,null,null,"wav"]'
    )


def test_an_entry_of_a_built_in_model_changes_single_keys() -> None:
    """A new price is a few lines; a day has one row, also before the first and after the last."""
    model = user_models(NEW_PRICE, "models.toml")["gemini-3.1-flash-tts"]
    assert model.voices == built_in_models()[model.slug].voices
    days = {date(2026, 12, 31): "0.0067", date(2027, 1, 1): "0.0134", date(2036, 1, 1): "0.0134"}
    assert {day: model.price_on(day).of(100) for day in days} == {day: Decimal(cost) for day, cost in days.items()}
    until = user_models(NEW_PRICE.split("[[", 2)[1].join(["[[", ""]), "models.toml")["gemini-3.1-flash-tts"]
    assert until.price_on(date(2028, 1, 1)).of(1) == Decimal("0.0067")


@pytest.mark.parametrize(
    ("unit", "cost"),
    [
        ('unit = "call"', "12"),
        ('unit = "million_characters"', "0.003"),
        ('unit = "minute"', "3.333333333333"),  # 250 characters are 16.7 seconds
        ('unit = "million_tokens", input_amount = 4', "0.00665"),  # 533 tokens of audio and 62.5 of text
    ],
)
def test_prices_in_every_unit_come_to_dollars_of_a_text(unit: str, cost: str) -> None:
    """At 15 characters a second, 32 tokens a second and 4 characters a token."""
    text = EXAMPLE.split("[[", 1)[0].replace("[models", '[voice_sets.unused]\na = "b"\n\n[models', 1)
    text = text.replace('tags = "angle"', f"prices = [{{ amount = 12, {unit} }}]")
    model = user_models(text, "models.toml")["acme-voice"]
    assert model.price_today.of(250) == Decimal(cost)


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ('title = "Acme Voice"\n', "", '[models."acme-voice"]', 'models.acme-voice.title: is missing'),
        ("max_text_bytes = 2000", "max_text_bytes = 0", "max_text_bytes", "max_text_bytes: must be at least 1"),
        ("mean_seconds", "mean_second", "mean_second", 'is not a known field; did you mean "mean_seconds"?'),
        ('tags = "angle"', 'tags = "round"', "tags", "tags: must be 'square', 'angle' or 'none'"),
        ('default_voice = "ada"', 'default_voice = "eve"', "default_voice", 'no voice "eve" among the model\'s'),
        ("amount = 15.00", "amount = -1", "amount = -1", "prices.1.amount: must be at least 0"),
        ("amount = 15.00", "amount = nan", "amount = nan", "prices.1.amount: must be a finite number"),
        ("2028-01-01", "2027-12-31", '[[models."acme-voice".prices]]', "two rows apply on 2027-12-31"),
        ("valid_until = 2027-12-31", 'valid_until = "soon"', "soon", "prices.0.valid_until: must be a day"),
        ('text = { name = "prompt" }', "", "parameters]", "has no entry for text"),
        ("temperature =", "speed =", "parameters]", '"speed" is not a field of a job'),
        ('language = "en"', 'prompt = "en"', "constants]", '"prompt" is a parameter already'),
        ('language = "en"', "language = 2027-01-01", "constants]", "language must be text, a number"),
        ('["v1"]', '["v3"]', "api_versions", "api_versions.0: must be 'v1' or 'v2'"),
        ('"acme-voice".prices]]', '"acme-voice".price]]', "price]]", "price: is not a known field"),
        ("mean_seconds = 5.0", 'successor = "acme"', "successor", '"acme" is not a model'),
        ("mean_seconds = 5.0", "max_speakers = 2", '[models."acme-voice"]', "must be 2 with a parameter voice_2"),
        ('[models."acme-voice".voices]', "[models.acme.voices]", "[models.acme.voices]", "title: is missing"),
        ("# models.toml", "model = 1", "model = 1", 'model: is not a section; did you mean "models"?'),
        ("# models.toml", "voice_sets = 1", "voice_sets", "must consist of tables"),
        ('minimum = 0, maximum = 1', "minimum = 2, maximum = 1", "temperature", "minimum is above maximum"),
        ('certainty = { max', "certainty = { min", "certainty", '"min_text_bytes" is not a fact of a model'),
        ('"assumed"', '"sure"', "certainty", "must be 'published', 'reported' or 'assumed'"),
    ],
)  # fmt: skip
def test_an_error_names_its_line_and_field(old: str, new: str, where: str, message: str) -> None:
    """And says what to do."""
    text = changed(old, new)
    found = errors(text)
    assert any(message in error and error.startswith(f"line {line(where, text)},") for error in found), found


def test_a_wrong_slug_set_or_syntax_is_named() -> None:
    """Whatever cannot be a model at all."""
    assert "voice set" in errors('[models.a]\nvoices = "gogle"\n')[0]
    assert 'did you mean "google"?' in errors('[models.a]\nvoices = "gogle"\n')[0]
    assert "lower-case" in errors('[models."A/b"]\n')[0]
    assert "(at line 1, column" in errors("[models\n")[0]
    assert "has no model" in errors("")[0]
    assert "at most 500" in errors("".join(f"[models.m{number}]\n" for number in range(501)))[0]


@given(st.text(max_size=200) | st.text(alphabet='[]{}=".#\n amodels-1', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Never another exception than the one that commands explain."""
    with suppress(InvalidInputError):
        assert user_models(text, "models.toml")


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates()
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(ModelEntry.model_fields)), VALUES))
def test_any_values_are_taken_or_refused(entry: dict[str, object]) -> None:
    """An entry that passes the rules makes a model."""
    from api_models import model_file  # noqa: PLC0415 - its inside, for values that TOML cannot hold

    checked = model_file._Checked({"models": {"gemini-3.1-flash-tts": entry}}, {})
    checked.check()
    for slug, found in checked.entries.items():
        assert model_file._model(slug, found).price >= 0
