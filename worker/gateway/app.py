"""The ASGI application: the routes, their guard, and an accurate OpenAPI description of both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Scope

from api_models.account import GateChange, QuoteIn
from api_models.batches import BatchIn
from api_models.casts import CastIn
from api_models.documents import DocumentIn
from api_models.endpoints import EndpointChange, EndpointIn, Redelivery
from api_models.http_problems import Problem, Trouble
from api_models.jobs import JobIn
from api_models.lexicons import MAX_FILE_BYTES as MAX_LEXICON_BYTES
from api_models.lexicons import LexiconIn
from api_models.problems import Fault, faults_of_errors
from api_models.subscriptions import SubscriptionIn
from worker.artifacts.errors import ArtifactsError
from worker.gateway import dialects, docs_page
from worker.gateway.answers import reject_unknown_parameters
from worker.gateway.console import routes as console
from worker.gateway.middleware.guard import HOOKS, MAX_BODY_BYTES, METRICS, Guard, problem_for
from worker.gateway.openai import batches as openai_batches
from worker.gateway.openai import catalogue, files, speech
from worker.gateway.openai.errors import OpenAIError
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError, invalid, not_found
from worker.gateway.routes import (
    account,
    batches,
    casts,
    documents,
    endpoints,
    events,
    health,
    hooks,
    jobs,
    lexicons,
    subscriptions,
)

BODIES: Final[tuple[type[BaseModel], ...]] = (
    JobIn,
    BatchIn,
    DocumentIn,
    CastIn,
    QuoteIn,
    EndpointIn,
    EndpointChange,
    LexiconIn,
    SubscriptionIn,
    Redelivery,
    GateChange,
    Problem,
)
"""Bodies that are parsed strictly by hand, which FastAPI would otherwise not describe."""
MAX_HOOK_BYTES: Final = 1024 * 1024
MAX_QUOTE_BYTES: Final = 16 * 1024 * 1024
DESCRIPTION: Final = """Texts in, spoken audio out: an asynchronous job queue for text-to-speech.

A submitted job is stored durably. Poll it, follow its events, or receive a webhook when it has finished."""


TAGS: Final = [
    {"name": "jobs", "description": "Single texts: submit, follow, cancel, retry, and get the audio."},
    {"name": "lexicons", "description": "Rules that say how words are pronounced."},
    {"name": "casts", "description": "The voices of scripts' speakers."},
    {"name": "batches", "description": "Many texts submitted together, as JSON or as a sheet."},
    {"name": "documents", "description": "Books and other files: one recording, spoken in parts."},
    {"name": "events", "description": "What happened, as a log and as a stream."},
    {"name": "account", "description": "Prices, models, voices, spend, and what holds the queue."},
    {"name": "webhooks", "description": "Signed messages to your endpoints, and the log of their deliveries."},
    {"name": "hooks", "description": "Other systems' webhooks, which become jobs."},
    {"name": "operating", "description": "Health checks and metrics."},
]


def operation_id(route: APIRoute) -> str:
    """Return the route's name in camel case, such as `createJob`: generated clients name their methods after it."""
    first, *rest = route.name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def make_app(gateway: Gateway) -> FastAPI:

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
        openapi_url=None,
        openapi_tags=TAGS,
        servers=[{"url": gateway.base or "/"}],
        generate_unique_id_function=operation_id,
        redirect_slashes=False,
    )
    app.state.gateway = gateway
    app.state.rendered = {}
    app.router.routes.extend(_routes())
    console.prepare(app)
    app.add_exception_handler(OpenAIError, _openai_error)
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for error_type in (SQLAlchemyError, ArtifactsError, ClientDisconnect, Exception):
        app.add_exception_handler(error_type, _unexpected)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # as FastAPI's documentation has it
    return app


@cache
def _routes() -> Sequence[BaseRoute]:
    """Every route with its models. FastAPI leaves these to the first request, which would wait on the event loop."""
    router = APIRouter(dependencies=[Depends(reject_unknown_parameters)], generate_unique_id_function=operation_id)
    for part in (
        docs_page,
        jobs,
        batches,
        documents,
        casts,
        lexicons,
        events,
        account,
        endpoints,
        subscriptions,
        hooks,
        health,
    ):
        router.include_router(part.router)
    for of_console in console.ROUTERS:
        router.include_router(of_console)
    for part in (catalogue, speech, files, openai_batches):
        router.include_router(part.router)
    nowhere: Scope = {"type": "http", "method": "GET", "path": "/-", "headers": [], "root_path": ""}
    for route in router.routes:
        route.matches(nowhere)
    return tuple(router.routes)


def guarded(gateway: Gateway) -> Guard:
    upload = gateway.settings.max_upload_mb * 2**20

    def body_limit(path: str) -> int:
        if path in {"/v1/batches", "/openai/v1/files"}:
            return upload
        if path == "/openai/v1/audio/speech":
            return speech.MAX_BODY_BYTES
        if path == "/v1/documents":
            return documents.MAX_BODY_BYTES
        if path.startswith("/v1/lexicons/"):
            return MAX_LEXICON_BYTES
        if path.startswith(HOOKS):
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
                if path == METRICS or (path.startswith("/v1/") and not path.startswith(HOOKS)):
                    operation["security"] = [{"key": []}]
    return app.openapi_schema or {}
