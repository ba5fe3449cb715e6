"""The admin endpoints: an operator's view and control of a running emulator. No authentication."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api_models.registry import MODELS
from worker.emulator.account import AccountChange
from worker.emulator.api.refusals import ModelState
from worker.emulator.faults import Rule
from worker.emulator.latency import Latency
from worker.emulator.limits import Limit
from worker.emulator.vendor import Vendor

Endpoint = Callable[[Request], Awaitable[Response]]
Change = TypeVar("Change", bound=BaseModel)


class RuleSet(BaseModel):
    """Faults that replace or extend the current ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[Rule, ...]
    append: bool = False


class ModelChange(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    state: ModelState


def control(vendor: Vendor) -> list[Route]:

    async def state(request: Request) -> Response:
        snapshot = vendor.state(detail=request.query_params.get("detail", "true") != "false")
        return Response(snapshot.model_dump_json(), media_type="application/json")

    async def model(request: Request) -> Response:
        slug = request.path_params["slug"]
        if slug not in MODELS:
            return JSONResponse({"error": f"no model {slug}; known: {', '.join(MODELS)}"}, 404)
        return await _changing(ModelChange, lambda change: vendor.set_model(slug, change.state))(request)

    async def reset(request: Request) -> Response:  # noqa: ARG001  # an endpoint's signature
        vendor.reset()
        return Response(status_code=204)

    def set_rules(change: RuleSet) -> None:
        vendor.set_rules(change.rules, append=change.append)

    return [
        Route("/state", state, methods=["GET"]),
        Route("/account", _changing(AccountChange, vendor.change_account), methods=["POST"]),
        Route("/rules", _changing(RuleSet, set_rules), methods=["POST"]),
        Route("/models/{slug}", model, methods=["POST"]),
        Route("/limit", _changing(Limit, vendor.set_limit), methods=["POST"]),
        Route("/latency", _changing(Latency, vendor.set_latency), methods=["POST"]),
        Route("/reset", reset, methods=["POST"]),
    ]


def _changing(kind: type[Change], apply: Callable[[Change], None]) -> Endpoint:
    """An endpoint that parses a body as `kind` and applies it; an invalid body returns 400 with the errors."""

    async def endpoint(request: Request) -> Response:
        try:
            change = kind.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"error": str(error)}, 400)
        apply(change)
        return Response(status_code=204)

    return endpoint
