"""The sample files that a new user speaks first are sound, and show what the models can do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api_models.registry import MODELS, VOICES
from api_models.speech import JobRequest
from worker.intake.reader import read_all

EXAMPLES = Path(__file__).parents[3] / "examples"

TAG = re.compile(r"\[[a-z ]+\]")


def example(name: str) -> list[JobRequest]:
    return [row.request for row in read_all(EXAMPLES / name)]


@pytest.mark.parametrize("name", ["welcome.csv", "lines.txt", "lines.jsonl"])
def test_every_example_is_sound(name: str) -> None:
    """No fault, and no text bought twice."""
    requests = example(name)
    assert len({request.text for request in requests}) == len(requests) > 3


def test_the_sample_shows_every_feature() -> None:
    """At least forty lines, both models, most of the voices, styles, tags, and dialogues of two voices."""
    requests = example("welcome.csv")
    assert len(requests) >= 40
    assert {request.model for request in requests} == set(MODELS)
    assert {request.voice_1 for request in requests} == set(VOICES)
    assert any(TAG.search(request.text) for request in requests)
    assert any(request.text.startswith("Say warmly: ") for request in requests)
    dialogues = [request for request in requests if request.voice_2]
    assert {request.model for request in dialogues} == set(MODELS)
    for request in dialogues:
        speakers = {line.partition(": ")[0] for line in request.text.splitlines()}
        assert len(speakers) == 2
        assert request.voice_1 != request.voice_2


@pytest.mark.parametrize("name", ["welcome.csv", "lines.jsonl"])
def test_tags_are_only_given_to_models_that_understand_them(name: str) -> None:
    """The others may read them aloud."""
    for request in example(name):
        assert MODELS[request.model].understands_tags or not TAG.search(request.text)
