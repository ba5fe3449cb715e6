"""The ASGI application: the routes, their guard, and an accurate OpenAPI description of both."""

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
from worker.gateway import dialects
from worker.gateway.answers import reject_unknown_parameters
from worker.gateway.middleware.guard import MAX_BODY_BYTES, METRICS, Guard, problem_for
from worker.gateway.openai import catalogue, speech
from worker.gateway.openai.errors import OpenAIError
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
"""Bodies that are parsed strictly by hand, which FastAPI would otherwise not describe."""
MAX_HOOK_BYTES: Final = 1024 * 1024
MAX_QUOTE_BYTES: Final = 16 * 1024 * 1024
DESCRIPTION: Final = """Texts in, spoken audio out: an asynchronous job queue for text-to-speech.

A submitted job is stored durably. Poll it, follow its events, or receive a webhook when it has finished."""


def make_app(gateway: Gateway) -> FastAPI:
    """Return the application without its guard."""

    @asynccontextmanager
    async def lifespan_context(_app: FastAPI) -> AsyncIterator[None]:
        gateway.submissions.start()
        yield
        gateway.submissions.stop()
        gateway.renderer.close()

    app = FastAPI(
        title="ttsq",
        version=version("ttsq"),
        description=DESCRIPTION,
        lifespan=lifespan_context,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        dependencies=[Depends(reject_unknown_parameters)],
        redirect_slashes=False,
    )
    app.state.gateway = gateway
    for part in (jobs, batches, events, account, endpoints, hooks, health):
        app.include_router(part.router)
    for part in (catalogue, speech):
        app.include_router(part.router)
    app.add_exception_handler(OpenAIError, _openai_error)
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for error_type in (SQLAlchemyError, ArtifactsError, ClientDisconnect, Exception):
        app.add_exception_handler(error_type, _unexpected)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # as FastAPI's documentation has it
    return app


def guarded(gateway: Gateway) -> Guard:
    upload = gateway.settings.max_upload_mb * 2**20

    def body_limit(path: str) -> int:
        if path == "/v1/batches":
            return upload
        if path.startswith("/v1/hooks/"):
            return MAX_HOOK_BYTES
        return MAX_QUOTE_BYTES if path == "/v1/quote" else MAX_BODY_BYTES

    return Guard(make_app(gateway), gateway.keyring, gateway.metrics, body_limit)


def _request_id(request: Request) -> str | None:
    found: str | None = request.scope.get("state", {}).get("request_id")
    return found


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for this class only
    return _answer(request, error)


async def _openai_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, OpenAIError)  # noqa: S101 - registered for this class only
    return error.response()


def _answer(request: Request, problem: ProblemError) -> Response:
    return dialects.response(problem, request.url.path, _request_id(request))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    if any(entry["loc"][0] == "path" for entry in error.errors()):
        return _answer(request, not_found("object: the id is malformed"))
    faults: list[Fault] = faults_of_errors([{**entry, "loc": entry["loc"][1:]} for entry in error.errors()])
    return _answer(request, invalid(faults))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    match error.status_code:
        case 404:
            problem = not_found("path")
        case 405:
            problem = ProblemError(Trouble.WRONG_METHOD, "See /openapi.json.", headers=error.headers)
        case _:
            problem = ProblemError(Trouble.MALFORMED, str(error.detail))
    return _answer(request, problem)


async def _unexpected(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        return _answer(request, ProblemError(Trouble.TOO_SLOW, "The body is incomplete."))
    return _answer(request, problem_for(error))


def _openapi(app: FastAPI) -> dict[str, Any]:
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
