"""A speech request, and the vendor's validation of its body."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from api_models.registry import SpeechModel


@dataclass(frozen=True, slots=True)
class Call:
    slug: str
    key: str | None
    bearer: bool
    content_type: str
    fields: dict[str, Any] | None
    """None if the body is not a JSON object."""

    @property
    def text(self) -> str:
        text = (self.fields or {}).get("text")
        return text if isinstance(text, str) else ""

    @property
    def voices(self) -> tuple[str | None, str | None]:
        fields = self.fields or {}
        return fields.get("voice_1"), fields.get("voice_2")

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
    if "text" not in call.fields:
        return "Missing required parameter: text"
    if not isinstance(call.fields["text"], str) or not call.text.strip():
        return "Invalid parameter text: must be a non-empty string"
    return _voice_fault(call, model) or _temperature_fault(call.fields, model)


def _voice_fault(call: Call, model: SpeechModel) -> str | None:
    for name, voice in zip(("voice_1", "voice_2"), call.voices, strict=True):
        if voice is not None and voice not in model.voices:
            return f"Invalid parameter {name}: {voice!r} is not one of {', '.join(model.voices)}"
    return None


def _temperature_fault(fields: dict[str, Any], model: SpeechModel) -> str | None:
    value = fields.get("temperature")
    if value is None:
        return None
    low, high = model.temperature_range
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return f"Invalid parameter temperature: must be a number between {low:g} and {high:g}"
    return None
