"""`/v1/hooks/{name}`: turns another system's webhook into jobs. Responds once they are committed."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Path, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api_models.hooks import HookAnswer, HookMapping
from api_models.http_problems import Trouble
from api_models.jobs import JobIn
from api_models.schemes import Scheme
from worker.gateway import answers, entries, mapping, parsing, strict_json
from worker.gateway.answers import gateway_of, problems
from worker.gateway.entries import Origin
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError, invalid, not_found
from worker.gateway.spoken import spoken
from worker.producer import documents
from worker.store.access import hooks
from worker.store.access.hooks import HookRecord
from worker.store.transitions import actions
from worker.telemetry import tracing
from worker.webhooks import verification
from worker.webhooks.verification import Genuine, Options, Received

router = APIRouter(prefix="/v1/hooks", tags=["hooks"])

FORM: Final = "application/x-www-form-urlencoded"
MAX_FIELDS: Final = 500


class _SeenError(Exception):
    """The webhook was received before."""


@router.post(
    "/{name}",
    status_code=202,
    response_model=HookAnswer,
    responses={
        200: {"model": HookAnswer, "description": "The webhook was received before."},
        **problems(404, 408, 500),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {}, "example": {"title": "A new post", "id": 7}},
                FORM: {"schema": {"type": "object"}},
            },
        }
    },
)
async def receive_webhook(request: Request, name: Annotated[str, Path(min_length=1, max_length=64)]) -> Response:
    """Receive a webhook from the hook's sender. `ttsq hooks add` creates a hook."""
    gateway = gateway_of(request)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
    hook = await run_in_threadpool(_expected, gateway, name, headers)
    with gateway.hook_bodies.one(), SpooledTemporaryFile(max_size=parsing.IN_MEMORY_BYTES) as body:
        await parsing.spool(request, body)
        content = await run_in_threadpool(_receive, gateway, hook, headers, body)
    return answers.json(content, 200 if content["duplicate"] else 202)


def _expected(gateway: Gateway, name: str, headers: dict[str, str]) -> HookRecord:
    """Return the hook. Raises ProblemError if there is none, or if the headers alone show a stranger."""
    with gateway.database.read() as connection:
        hook = hooks.by_name(connection, name)
    if hook is None:
        raise not_found("hook")
    received = Received(headers, b"", gateway.now())
    scheme, options = Scheme(hook.scheme), Options(**hook.options)
    if not verification.may_be_genuine(scheme, hook.secrets(received.now), options, received):
        raise _not_genuine(scheme)
    return hook


def _receive(gateway: Gateway, hook: HookRecord, headers: dict[str, str], content: IO[bytes]) -> dict[str, Any]:
    scheme = Scheme(hook.scheme)
    received = Received(headers, content.read(), gateway.now())
    genuine = verification.verified(scheme, hook.secrets(received.now), Options(**hook.options), received)
    if genuine is None:
        raise _not_genuine(scheme)
    payload = _payload(headers.get("content-type", ""), received.body)
    genuine = verification.event_named(genuine, scheme, payload)
    jobs = jobs_of(hook, payload, gateway.context)
    try:
        made = _insert(gateway, hook, genuine, jobs)
    except _SeenError:
        return {"jobs": [], "duplicate": True}
    if made:
        gateway.on_new_jobs()
        gateway.metrics.submitted.labels("hook").inc(len(made))
    return {"jobs": made, "duplicate": False}


def _not_genuine(scheme: Scheme) -> ProblemError:
    return ProblemError(
        Trouble.WRONG_SIGNATURE,
        f"The signature ({scheme}) is missing, invalid or too old. Sender and hook need the same secret and clock.",
    )


def jobs_of(hook: HookRecord, payload: Any, context: dict[str, Any]) -> list[JobIn]:  # noqa: ANN401 - any JSON value
    """Return the jobs that a payload makes. Raises ProblemError with every error."""
    try:
        found = mapping.parse(HookMapping.model_validate(hook.mapping))
    except ValidationError:
        raise ProblemError(Trouble.BROKEN, "The hook was created by another version; add it again.") from None
    if isinstance(found, list):
        raise ProblemError(Trouble.BROKEN, f"The hook is unusable: {found[0]}")
    outcome = found.outcome(payload, context)
    if outcome.faults:
        raise invalid(outcome.faults)
    return list(outcome.jobs)


def _insert(gateway: Gateway, hook: HookRecord, genuine: Genuine, jobs: list[JobIn]) -> list[str]:
    now = gateway.now()
    origin = Origin(
        gateway.settings.segmind_base_url,
        hook.tenant,
        traceparent=tracing.traceparent(),
        kept_seconds=gateway.settings.expires_after,
        shared=gateway.settings.shares_content,
    )
    jobs = list(spoken(gateway, hook.tenant, jobs))
    rows = [entries.entry(job, origin, now=now) for job in jobs]
    limit = gateway.settings.max_text_bytes
    pairs = list(zip(jobs, rows, strict=True))
    long_texts = [entries.document(job, row, origin, limit) for job, row in pairs if documents.is_long(job, limit)]
    with gateway.database.begin() as connection:
        if not hooks.taken(connection, hook, genuine.names, jobs=len(rows), now=now):
            raise _SeenError
        actions.submit(connection, [row for job, row in pairs if not documents.is_long(job, limit)])
        documents.submit(connection, long_texts)
    return [str(row["id"]) for row in rows]


def _payload(content_type: str, body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    media = content_type.partition(";")[0].strip().lower()
    if media != FORM:
        return strict_json.loads(body)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise ProblemError(Trouble.MALFORMED, "The form is not UTF-8, or too long.") from None
    return dict(pairs)
