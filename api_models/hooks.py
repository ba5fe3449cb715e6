"""What makes jobs of another system's webhook, and what a hook answers."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

Expression = Annotated[str | None, Field(max_length=2_000)]
"""JMESPath over the payload, or over one element of it where `each` is given."""


class HookMapping(BaseModel):
    """Where in a payload the parts of a job are. Every field is JMESPath (https://jmespath.org), but for `template`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Expression = None
    """The text to be spoken."""
    template: Annotated[str | None, Field(max_length=8_000)] = None
    """The text with JMESPath between braces: `New in the shop: {title}, for {variants[0].price} euros.`"""
    when: Expression = None
    """Only where this is true, or anything but empty, jobs are made."""
    each: Expression = None
    """A list: one job an element. Without it, one job a payload."""
    model: Expression = None
    voice_1: Expression = None
    voice_2: Expression = None
    temperature: Expression = None
    custom_id: Expression = None
    tags: Expression = None
    """A list of words, or one."""


class HookAnswer(BaseModel):
    """What became of a webhook."""

    jobs: Annotated[list[UUID], Field(description="The jobs that were made.")]
    duplicate: Annotated[bool, Field(description="It had come before; nothing was made.")]
