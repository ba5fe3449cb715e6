"""Links to the HTTP API in responses and messages: relative, or absolute if the gateway's public URL is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def audio_path(job_id: object) -> str:
    return f"/v1/jobs/{job_id}/audio"


def absolute(data: Mapping[str, Any], base: str) -> Mapping[str, Any]:
    """Return an event's data with the URL of its audio under `base`; stored events have only its path."""
    audio = data.get("audio")
    if not base or not isinstance(audio, Mapping) or not str(audio.get("url", "")).startswith("/"):
        return data
    return {**data, "audio": {**audio, "url": base + audio["url"]}}
