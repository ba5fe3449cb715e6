"""Serves the times that are stored beside the audio of jobs, as JSON or captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from api_models.timings import TimingsFormat
from worker.execution import timings
from worker.execution.timings import TimedAudio
from worker.gateway.parts import Gateway
from worker.gateway.problems import not_found
from worker.store.queries.tenant_pages import JobEntry

MEDIA_TYPES: Final[Mapping[TimingsFormat, str]] = {
    TimingsFormat.JSON: "application/json",
    TimingsFormat.SRT: "application/x-subrip",
    TimingsFormat.VTT: "text/vtt",
    TimingsFormat.ASS: "text/x-ssa",
}


def of_job(gateway: Gateway, entry: JobEntry, form: TimingsFormat) -> Response:
    """Return the times of a job's audio. Raises ProblemError: there are none."""
    # Imported here, because it takes a quarter of a second that other requests need not pay.
    from worker.documents.captions.sidecars import rendered  # noqa: PLC0415

    if entry.uri is None or entry.purged_at is not None:
        raise not_found("timings")
    audio = TimedAudio(entry.uri, entry.sha256, entry.tenant, entry.batch_id)
    if (found := timings.stored(gateway.destinations, audio)) is None:
        raise not_found("timings")
    return Response(rendered(found, form), media_type=MEDIA_TYPES[form])
