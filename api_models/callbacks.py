"""The receiver of a job's or batch's own webhook, which may be named in two ways."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

MAX_CALLBACK_CHARACTERS: Final = 2_000

CallbackUrl = Annotated[str, Field(max_length=MAX_CALLBACK_CHARACTERS)]


class Callback(BaseModel):
    callback_url: CallbackUrl | None = None
    """Receives the event of its end, in addition to your endpoints."""
    webhook_url: CallbackUrl | None = None
    """The same under the name that automation tools use, such as n8n's `resumeUrl`. Name only one of the two."""

    @field_validator("webhook_url")
    @classmethod
    def _named_once(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("callback_url") is not None:
            raise PydanticCustomError("webhook_url", "names the receiver a second time; leave out callback_url")
        return value

    @property
    def receiver(self) -> str | None:
        return self.webhook_url if self.callback_url is None else self.callback_url

    @property
    def receiver_field(self) -> str:
        return "callback_url" if self.webhook_url is None else "webhook_url"
