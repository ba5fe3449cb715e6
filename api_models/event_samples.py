"""A message of each event type, for tools that map fields before the first event. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api_models.flat_events import flat
from api_models.happenings import Happening
from api_models.links import audio_path
from api_models.registry import DEFAULT_MODEL

JOB_ID: Final = "01926d3a-1c1f-7c4e-9c1b-0d6f0a4b7e55"
BATCH_ID: Final = "01926d3a-1c1f-7c4e-9c1b-0d6f0a4b7e66"
_AT: Final = "2026-12-01T08:00:04Z"
_AUDIO: Final[Mapping[str, Any]] = {
    "content_type": "audio/wav",
    "bytes": 240_044,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "duration_ms": 5_000,
    "url": audio_path(JOB_ID),
}
_ACCOUNT: Final[Mapping[str, Any]] = {
    "gate": "account",
    "scope": "account",
    "model": None,
    "code": "no_credit",
    "message": "The account has no credit left.",
    "since": "2026-12-01T07:58:00+00:00",
}
_TAKES: Final[Mapping[str, Any]] = {
    "batch_id": BATCH_ID,
    "model": DEFAULT_MODEL,
    "code": "bad_audio",
    "message": "The audio is silent.",
}


def _job(status: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    plain = {
        "id": JOB_ID,
        "batch_id": None,
        "custom_id": "welcome",
        "tags": ["harbour"],
        "status": status,
        "model": DEFAULT_MODEL,
        "code": None,
        "message": None,
        "cost": "0",
        "cached": False,
        "audio": None,
        "created_at": "2026-12-01T08:00:00Z",
        "finished_at": _AT,
    }
    return plain | fields


SAMPLES: Final[Mapping[Happening, Mapping[str, Any]]] = {
    Happening.JOB_SUCCEEDED: _job("succeeded", cost="0.0067", audio=_AUDIO),
    Happening.JOB_FAILED: _job("failed", code="bad_audio", message="The audio is silent.", cost="0.0201"),
    Happening.JOB_CANCELLED: _job("cancelled", code="cancelled", message="Cancelled by request."),
    Happening.JOB_EXPIRED: _job("expired", code="expired", message="The deadline passed before it started."),
    Happening.BATCH_FINISHED: {
        "id": BATCH_ID,
        "name": "welcome",
        "total": 2,
        "counts": {"succeeded": 2},
        "cost": "0.0134",
        "finished_at": _AT,
    },
    Happening.TAKES_HELD: {**_TAKES, "refused": 20, "since": "2026-12-01T08:00:04+00:00"},
    Happening.TAKES_RELEASED: _TAKES,
    Happening.ACCOUNT_HELD: _ACCOUNT,
    Happening.ACCOUNT_RELEASED: _ACCOUNT,
    Happening.ACCOUNT_LOW_BALANCE: {"remaining": "1.50", "below": "5", "seen_at": "2026-12-01T08:00:04+00:00"},
    Happening.ENDPOINT_DISABLED: {
        "id": "01926d3a-1c1f-7c4e-9c1b-0d6f0a4b7e77",
        "url": "https://example.org/hooks/speech",
        "why": "the receiver answered 410 Gone",
    },
}
"""The `data` of each type, as it is stored: links are paths."""


def message(type: Happening, data: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002 - the word of the events
    """Return a made message as a flat endpoint receives it."""
    return {**flat(type, _AT, data), "data": dict(data)}
