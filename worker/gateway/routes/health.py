"""Health checks and metrics."""

from __future__ import annotations

from fastapi import APIRouter, Request
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api_models.health import Health
from api_models.http_problems import Trouble
from worker.gateway import answers
from worker.gateway.answers import Operator, gateway_of, problems
from worker.gateway.problems import ProblemError
from worker.store import schema

router = APIRouter(tags=["operating"])

_TEXT = {"text/plain": {"schema": {"type": "string"}}}


@router.get("/healthz", response_model=Health, responses=problems())
async def get_health() -> Response:
    """Liveness: the process runs and its event loop responds."""
    return answers.json({"status": "ok"})


@router.get("/readyz", response_model=Health, responses=problems())
def get_readiness(request: Request) -> Response:
    """Readiness: the database responds and its schema is current."""
    found = schema.revision(gateway_of(request).database)
    if found is None or found < schema.HEAD:
        raise ProblemError(
            Trouble.OVERLOADED, f"The database is at revision {found}; run `ttsq migrate`.", retry_after=5
        )
    return answers.json({"status": "ok"})


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": _TEXT, "description": "Prometheus text format."}, **problems()},
)
async def get_metrics(request: Request, caller: Operator) -> Response:  # noqa: ARG001 - requires a key
    """Return the metrics."""
    text = await run_in_threadpool(gateway_of(request).metrics.render)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
