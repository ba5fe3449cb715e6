"""A speech request, and the vendor's validation of its body."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from api_models.registry import MODELS
from api_models.speech_model import SpeechModel


@dataclass(frozen=True, slots=True)
class Call:
    slug: str
    key: str | None
    bearer: bool
    content_type: str
    fields: dict[str, Any] | None
    """None if the body is not a JSON object."""
    version: str = "v1"

    @property
    def text(self) -> str:
        text = (self.fields or {}).get(self.name_of("text"))
        return text if isinstance(text, str) else ""

    @property
    def voices(self) -> tuple[str | None, str | None]:
        fields = self.fields or {}
        return fields.get(self.name_of("voice_1")), fields.get(self.name_of("voice_2"))

    def name_of(self, field: str) -> str:
        """The API's name for a field of a job."""
        known = MODELS.get(self.slug)
        parameter = None if known is None else known.parameters.get(field)
        return field if parameter is None else parameter.name

    @property
    def announces_json(self) -> bool:
        return self.content_type.partition(";")[0].strip().lower() == "application/json"


def parse(body: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(body)
    except ValueError:  # covers both JSON's own error and undecodable bytes
        return None
    return fields if isinstance(fields, dict) else None


def fault(call: Call, model: SpeechModel) -> str | None:
    """Return the vendor's error for this body, or None if it is valid. Unknown fields are ignored."""
    if call.fields is None:
        return "Invalid request body: expected a JSON object"
    needed = [call.name_of("text"), *(known.name for known in model.parameters.values() if known.required)]
    if missing := next((name for name in needed if name not in call.fields), None):
        return f"Missing required parameter: {missing}"
    if not call.text.strip():
        return f"Invalid parameter {call.name_of('text')}: must be a non-empty string"
    return _voice_fault(call, model) or _temperature_fault(call, call.fields, model)


def _voice_fault(call: Call, model: SpeechModel) -> str | None:
    for name, voice in zip(("voice_1", "voice_2"), call.voices, strict=True):
        if voice is not None and voice not in model.voices:
            return f"Invalid parameter {call.name_of(name)}: {voice!r} is not one of {', '.join(model.voices)}"
    return None


def _temperature_fault(call: Call, fields: dict[str, Any], model: SpeechModel) -> str | None:
    value = fields.get(call.name_of("temperature"))
    if value is None or model.temperature_range is None:
        return None
    low, high = model.temperature_range
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return f"Invalid parameter {call.name_of('temperature')}: must be a number between {low:g} and {high:g}"
    return None
