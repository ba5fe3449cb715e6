"""Jobs with their texts as they are spoken: prepared with the caller's lexicons before they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from api_models.jobs import JobIn
from api_models.problems import Fault
from worker.gateway.parts import Gateway
from worker.gateway.problems import MAX_FAULTS, invalid
from worker.producer.wording import SpokenTexts
from worker.text.errors import TextError


def spoken(
    gateway: Gateway,
    tenant: str,
    jobs: Sequence[JobIn],
    place: Callable[[int], str] = lambda _: "",
) -> Sequence[JobIn]:
    """Return jobs as they are spoken. Raises ProblemError with each error; `place` comes before its field."""
    if not any(job.is_to_be_prepared for job in jobs):
        return jobs
    with gateway.database.read() as connection:
        return _spoken(connection, gateway, tenant, jobs, place)


def _spoken(
    connection: Connection, gateway: Gateway, tenant: str, jobs: Sequence[JobIn], place: Callable[[int], str]
) -> Sequence[JobIn]:
    prepare = SpokenTexts(connection, tenant, gateway.settings.max_text_bytes)
    found: list[JobIn] = []
    faults: list[Fault] = []
    for index, job in enumerate(jobs):
        try:
            found.append(prepare(job))
        except TextError as error:
            faults.append(Fault(field=place(index) + error.field, message=error.described()))
    if faults:
        raise invalid(faults[:MAX_FAULTS], len(faults))
    return found
