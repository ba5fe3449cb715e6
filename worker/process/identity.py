"""What a worker must have in common with all others of an installation, as its row says it.

A host with another key, rate or bucket holds or skews the whole installation. Nothing secret is stored: the key and
the settings are digests, compared and never shown.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from typing import Final

from api_models.registry import MODELS
from worker.environment import models_file
from worker.settings import Settings
from worker.store.workers import Identity

ALIKE: Final = (
    "segmind_base_url",
    "segmind_api",
    "segmind_rpm",
    "max_audio_mb",
    "max_text_bytes",
    "artifacts_url",
    "key_template",
    "s3_storage_class",
    "s3_sse",
    "s3_kms_key",
    "s3_tags",
    "expires_after",
    "probe_seconds",
    "low_balance",
    "share_cache",
    "reserved_share",
    "ageing_seconds",
    "dispatch_timeout",
    "max_attempts",
    "max_takes",
    "hold_after_refused",
    "take_checks",
    "take_min_length",
    "take_max_length",
    "take_min_peak_dbfs",
    "take_max_silence",
    "take_characters_per_second",
    "take_rungs",
    "suspect_takes",
)
"""Settings that decide what jobs become, whichever worker takes them or leads."""
KEY: Final = "SEGMIND_API_KEY"
DIGITS: Final = 12


def identity(settings: Settings) -> Identity:
    key = settings.segmind_api_key
    return Identity(
        version=version("ttsq"),
        key_fingerprint=None if key is None else _digest(key.get_secret_value().strip()),
        settings=json.dumps(
            {_name(field): _digest(repr(getattr(settings, field))) for field in ALIKE}
            | {models_file.VARIABLE: _models()}
        ),
    )


def _models() -> str:
    """A digest of the user's models, wherever their file lies."""
    return _digest(repr([MODELS[slug] for slug in sorted(MODELS.own)]))


def _name(field: str) -> str:
    return str(Settings.model_fields[field].validation_alias.choices[0])  # type: ignore[union-attr]


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:DIGITS]
