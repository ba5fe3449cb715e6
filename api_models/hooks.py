"""Inbound webhooks: how a payload becomes jobs, and the response."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

Expression = Annotated[str | None, Field(max_length=2_000)]
"""JMESPath over the payload, or over one element if `each` is set."""


class HookMapping(BaseModel):
    """Maps a payload to jobs. Every field except `template` is JMESPath (https://jmespath.org)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Expression = None
    """The text to speak."""
    template: Annotated[str | None, Field(max_length=8_000)] = None
    """The text, with JMESPath in braces: `New in the shop: {title}, for {variants[0].price} euros.`"""
    when: Expression = None
    """Jobs are created only if this is true or non-empty."""
    each: Expression = None
    """A list: one job per element. Without it, one job per payload."""
    model: Expression = None
    voice_1: Expression = None
    voice_2: Expression = None
    temperature: Expression = None
    custom_id: Expression = None
    tags: Expression = None
    """A list of tags, or one tag."""
    format: Expression = None
    loudness: Expression = None
    sample_rate: Expression = None
    mp3_bitrate: Expression = None
    title: Expression = None
    artist: Expression = None
    album: Expression = None
    track: Expression = None
    lexicon: Expression = None


class HookAnswer(BaseModel):
    """The result of a webhook."""

    jobs: Annotated[list[UUID], Field(description="The created jobs.")]
    duplicate: Annotated[bool, Field(description="The webhook was received before; nothing was created.")]
