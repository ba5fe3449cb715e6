"""Whatever is sent, the answer is audio or an error in OpenAI's form, and never one of the gateway's own making."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from api_models.openai import ErrorOut
from tests.gateway import Client, running
from tests.speaking import SPEECH
from worker.store import schema
from worker.store.database import Database

FIELDS: Final = ("input", "model", "voice", "instructions", "response_format", "speed", "stream_format", "variant", "x")
GOOD: Final = {"input": "Mind the gap.", "model": "tts-1", "voice": "alloy"}
JSON: Final = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
LIKELY: Final = JSON | some.sampled_from(
    ["mp3", "sse", "alloy", {"id": "alloy"}, 1, 0.5, 2, "tts-1", "Say it.", "\ud800"]
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a gateway that has no worker, and holds nothing for long."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('any')}/queue.db")
    schema.upgrade(database)
    with running(database, open_door=True, TTSQ_OPENAI_HOLD_SECONDS="0.01") as started:
        yield started.stranger
    database.close()


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(changes=some.dictionaries(some.sampled_from(FIELDS), LIKELY, max_size=4))
def test_any_body_is_understood(client: Client, changes: dict[str, Any]) -> None:
    """503 only says that the audio is not ready."""
    reply = client.post(SPEECH, {**GOOD, **changes})
    error = ErrorOut.model_validate_json(reply.body).error
    assert (reply.status, error.code) == (503, "not_ready") or reply.status == 400
    assert reply.status == 503 or error.type == "invalid_request_error"
