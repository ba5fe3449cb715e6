"""The models are as the vendor's pages have them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from api_models.registry import DEFAULT_MODEL, MODELS, VOICES
from api_models.speech_model import SpeechModel


def test_both_models_of_the_vendor_are_listed() -> None:
    """Slugs, default voices and published prices, from the vendor's two model pages."""
    assert {(model.slug, model.default_voice, model.price) for model in MODELS.values()} == {
        ("gemini-3.1-flash-tts", "Kore", Decimal("0.0067")),
        ("gemini-2.5-flash-tts", "Zephyr", Decimal("0.005")),
    }


def test_there_are_thirty_voices() -> None:
    """The vendor's page names ten and counts thirty."""
    assert len(VOICES) == 30
    assert list(VOICES)[:10] == [
        "Zephyr",
        "Puck",
        "Charon",
        "Kore",
        "Fenrir",
        "Leda",
        "Orus",
        "Aoede",
        "Callirrhoe",
        "Autonoe",
    ]


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_an_entry_is_consistent(model: SpeechModel) -> None:
    """A model is found under its slug, its defaults lie within its own rules, its temperatures are the page's."""
    assert MODELS[model.slug] is model
    assert model.default_voice in model.voices
    assert model.temperature_range == (0.0, 2.0)
    assert model.parameters["temperature"].default == 0.4
    assert model.max_text_bytes == 4_000


def test_only_the_newer_model_understands_tags() -> None:
    """The older one may read `[whispers]` aloud."""
    assert [slug for slug, model in MODELS.items() if model.understands_tags] == ["gemini-3.1-flash-tts"]


def test_the_default_model_exists() -> None:
    """A line that names no model gets one that the registry has."""
    assert DEFAULT_MODEL in MODELS
