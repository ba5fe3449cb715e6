"""The application: the routes, their guard, and a description of both in which everything is true."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from api_models.account import GateChange, QuoteIn
from api_models.batches import BatchIn
from api_models.endpoints import EndpointChange, EndpointIn, Redelivery
from api_models.http_problems import Problem, Trouble
from api_models.jobs import JobIn
from api_models.problems import Fault, faults_of_errors
from worker.artifacts.errors import ArtifactsError
from worker.gateway.answers import no_strangers
from worker.gateway.middleware.guard import MAX_BODY_BYTES, METRICS, Guard, explained
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError, invalid, not_found
from worker.gateway.routes import account, batches, endpoints, events, health, hooks, jobs

BODIES: Final[tuple[type[BaseModel], ...]] = (
    JobIn,
    BatchIn,
    QuoteIn,
    EndpointIn,
    EndpointChange,
    Redelivery,
    GateChange,
    Problem,
)
"""What is read strictly, by hand, and must be described all the same."""
MAX_HOOK_BYTES: Final = 1024 * 1024
MAX_QUOTE_BYTES: Final = 16 * 1024 * 1024
DESCRIPTION: Final = """Texts in, spoken audio out: an asynchronous job queue for text-to-speech.

Hand in a job, and it is kept until its audio is there. Ask for it, follow the events, or be told by a webhook."""


def make_app(gateway: Gateway) -> FastAPI:
    """The application over these parts, without its guard."""

    @asynccontextmanager
    async def living(_app: FastAPI) -> AsyncIterator[None]:
        gateway.submissions.start()
        yield
        gateway.submissions.stop()

    app = FastAPI(
        title="ttsq",
        version=version("ttsq"),
        description=DESCRIPTION,
        lifespan=living,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        dependencies=[Depends(no_strangers)],
        redirect_slashes=False,
    )
    app.state.gateway = gateway
    for part in (jobs, batches, events, account, endpoints, hooks, health):
        app.include_router(part.router)
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for trouble in (SQLAlchemyError, ArtifactsError, ClientDisconnect, Exception):
        app.add_exception_handler(trouble, _troubled)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]  # as FastAPI's documentation has it
    return app


def guarded(gateway: Gateway) -> Guard:
    """The application as a server runs it."""
    upload = gateway.settings.max_upload_mb * 2**20

    def body_limit(path: str) -> int:
        if path == "/v1/batches":
            return upload
        if path.startswith("/v1/hooks/"):
            return MAX_HOOK_BYTES
        return MAX_QUOTE_BYTES if path == "/v1/quote" else MAX_BODY_BYTES

    return Guard(make_app(gateway), gateway.keyring, gateway.figures, body_limit)


def _request_id(request: Request) -> str | None:
    found: str | None = request.scope.get("state", {}).get("request_id")
    return found


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - it is registered for nothing else
    return error.response(_request_id(request))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    if any(entry["loc"][0] == "path" for entry in error.errors()):
        return not_found("thing: that is no id").response(_request_id(request))
    faults: list[Fault] = faults_of_errors([{**entry, "loc": entry["loc"][1:]} for entry in error.errors()])
    return invalid(faults).response(_request_id(request))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    match error.status_code:
        case 404:
            problem = not_found("place")
        case 405:
            problem = ProblemError(Trouble.WRONG_METHOD, "See the description at /openapi.json.", headers=error.headers)
        case _:
            problem = ProblemError(Trouble.MALFORMED, str(error.detail))
    return problem.response(_request_id(request))


async def _troubled(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        return ProblemError(Trouble.TOO_SLOW, "The body ended too early.").response(_request_id(request))
    return explained(error).response(_request_id(request))


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = FastAPI.openapi(app)
        _, definitions = models_json_schema(
            [(model, "validation") for model in BODIES], ref_template="#/components/schemas/{model}"
        )
        components = schema.setdefault("components", {})
        components.setdefault("schemas", {}).update(definitions["$defs"])
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                if path == METRICS or (path.startswith("/v1/") and not path.startswith("/v1/hooks/")):
                    operation["security"] = [{"key": []}]
    return app.openapi_schema or {}
