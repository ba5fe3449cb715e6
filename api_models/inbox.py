"""Requests in the inbox: a job as over HTTP, and what else a request over HTTP says in its address and headers."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from api_models.jobs import JobIn

MAX_REQUEST_CHARACTERS: Final = 65_536
"""Of one request, as JSON. The database refuses longer ones."""
MAX_KEY_CHARACTERS: Final = 255
ENVELOPE: Final = frozenset({"tenant", "idempotency_key", "batch", "max_cost"})
"""Fields beside those of a job."""


class InboxRequest(JobIn):
    """One text to speak, submitted as a row."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Whose job it is; default: the producer role's only tenant, or `default`."""
    idempotency_key: Annotated[str, Field(min_length=1, max_length=MAX_KEY_CHARACTERS)] | None = None
    """For 48 hours, the same request under this key of the tenant is the first one's job."""
    batch: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] | None = None
    """Name of the batch that it belongs to. Rows of a tenant with the same name share one batch."""
    max_cost: Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=12)] | None = None
    """Maximum cost of the batch's calls in US dollars; jobs beyond it are held, never failed."""

    @field_validator("tenant", "idempotency_key")
    @classmethod
    def _storable(cls, value: str | None) -> str | None:
        if value is not None and not value.isprintable():
            raise PydanticCustomError("storable", "contains a character that can't be printed; remove it")
        return value

    @model_validator(mode="after")
    def _budget_of_a_batch(self) -> Self:
        if self.max_cost is not None and self.batch is None:
            raise PydanticCustomError("max_cost", "max_cost limits a batch; name one in `batch`")
        return self

    @property
    def identity(self) -> str:
        """What makes two requests under one key the same, as JSON.

        Only non-default fields: a field added by a later version must not change it.
        """
        return self.model_dump_json(exclude_defaults=True, exclude={"tenant", "idempotency_key"})
