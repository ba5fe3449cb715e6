"""Casts as files and HTTP clients hold them: roles by the names of speakers."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

GAIN_RANGE_DB: Final = (-12.0, 12.0)
PACE_RANGE: Final = (0.5, 2.0)
NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"
REFERENCE: Final = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9_.:-]{0,63})(?:@(?P<version>[0-9]{1,9}))?")
"""A cast by name, with an optional version."""


class RoleIn(BaseModel):
    """A role as files and the API hold it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    voice: str = ""
    model: str = ""
    style: Annotated[str, Field(max_length=200)] = ""
    """How the speaker speaks, such as "weary, slow"."""
    gain: Annotated[float, Field(ge=GAIN_RANGE_DB[0], le=GAIN_RANGE_DB[1])] = 0.0
    """Decibels above the other speakers."""
    pace: Annotated[float, Field(ge=PACE_RANGE[0], le=PACE_RANGE[1])] = 1.0
    """1.1 is a tenth faster, at the same pitch."""
    language: Annotated[str, Field(max_length=35)] = ""
    fallback: str = ""
    """The voice to use where the model has lost the other one."""
    aliases: list[str] = []
    alias_of: str = ""
    """Another role: then this entry has nothing else."""


class CastIn(BaseModel):
    """The roles of a cast. Each is an object with a voice, a voice alone, or the name of another role."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: Annotated[dict[str, RoleIn | str], Field(min_length=1)]


class CastSummary(BaseModel):
    """The latest version of a cast."""

    name: str
    version: int
    roles: int
    created_at: AwareDatetime


class CastView(BaseModel):
    """A version of a cast."""

    name: str
    version: int
    versions: Annotated[list[int], Field(description="All that can be named.")]
    created_at: AwareDatetime
    roles: Annotated[dict[str, Any], Field(description="As they were put.")]
    warnings: Annotated[list[str], Field(description="Roles that use their fallback.")]


class CastList(BaseModel):
    casts: list[CastSummary]
