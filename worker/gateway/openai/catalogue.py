"""`/openai/v1/models` and the lists that Open WebUI asks for: the names that speech requests may use."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from worker.gateway import answers
from worker.gateway.answers import Reader, gateway_of
from worker.gateway.openai.errors import INVALID, OpenAIError

router = APIRouter(prefix="/openai/v1", tags=["openai"], include_in_schema=False)

RELEASED: Final = 1_764_547_200
"""`created` of every model, in seconds since 1970; OpenAI's clients need a number."""


@router.get("/models")
async def list_models(request: Request, caller: Reader) -> Response:  # noqa: ARG001 - checks the scope
    names = gateway_of(request).dialect.models.meanings
    return answers.json({"object": "list", "data": [_model(name) for name in names]})


@router.get("/models/{name}")
async def get_model(request: Request, name: str, caller: Reader) -> Response:  # noqa: ARG001 - as above
    models = gateway_of(request).dialect.models
    if models.meaning(name) is None:
        raise OpenAIError(404, INVALID, models.unknown(name), code="model_not_found", param="model")
    return answers.json(_model(name))


@router.get("/audio/models")
async def list_speech_models(request: Request) -> Response:
    """List the models as Open WebUI reads them, which sends no key here."""
    names = gateway_of(request).dialect.models.meanings
    return answers.json({"models": [{"id": name, "name": name} for name in names]})


@router.get("/audio/voices")
async def list_voices(request: Request) -> Response:
    """List the voices as Open WebUI reads them, which sends no key here."""
    names = gateway_of(request).dialect.voices.meanings
    return answers.json({"voices": [{"id": name, "name": name} for name in names]})


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": RELEASED, "owned_by": "ttsq"}
