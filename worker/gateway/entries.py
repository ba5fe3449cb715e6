"""New jobs as rows, with what only the gateway adds: tags, a callback address, the key, the trace. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from api_models.jobs import JobIn
from worker import producer
from worker.gateway.keyring import Caller

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a job comes from."""

    api: str
    """The address of the API that will speak it."""
    tenant: str
    key_id: UUID | None = None
    traceparent: str | None = None

    @classmethod
    def of(cls, api: str, caller: Caller, headers: Mapping[str, str]) -> Origin:
        """Of a request."""
        trace = headers.get("traceparent", "")
        return cls(api, caller.tenant, caller.key_id, trace if _TRACEPARENT.fullmatch(trace) else None)


def entry(
    wanted: JobIn, origin: Origin, *, now: datetime, batch_id: UUID | None = None, line: int | None = None
) -> dict[str, Any]:
    """The row of one job."""
    row = producer.job_row(wanted, tenant=origin.tenant, batch_id=batch_id, line=line, origin=origin.api, now=now)
    row |= {
        "tags": f",{','.join(wanted.tags)}," if wanted.tags else None,
        "callback_url": wanted.callback_url,
        "notify": True,
        "key_id": origin.key_id,
        "traceparent": origin.traceparent,
    }
    return row
