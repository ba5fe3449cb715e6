"""Twenty questions of new users: what they type into the search, and the page that answers."""

from __future__ import annotations

from typing import Final

QUESTIONS: Final = (
    ("try without key", "first-run"),
    ("price quote", "reference/commands"),
    ("add a model", "models"),
    ("which columns sheet", "sheets"),
    ("voices of speakers in a script", "scripts"),
    ("book epub chapters", "documents"),
    ("captions srt", "documents"),
    ("mp3 bitrate", "outputs"),
    ("rate limit", "operations"),
    ("budget of a key", "gateway"),
    ("webhook signature", "gateway"),
    ("openai client base url", "openai"),
    ("docker compose", "deployment"),
    ("backup restore", "restore"),
    ("pronunciation of names", "lexicons"),
    ("verify provenance", "outputs"),
    ("worker dies", "guarantees"),
    ("metrics prometheus", "metrics"),
    ("insert from my own transaction", "inbox"),
    ("exit code", "reference/errors"),
)
SHOWN: Final = 8
"""The answer must be among the first N results."""
