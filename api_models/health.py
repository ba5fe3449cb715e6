"""The response to health probes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Health(BaseModel):
    """Healthy; any other state is a problem response."""

    status: Literal["ok"]
