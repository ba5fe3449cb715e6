"""The HTTP routes of the emulated API."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from worker.emulator.api import refusals, v1, v2
from worker.emulator.api.admin_routes import control
from worker.emulator.api.calls import Call, parse
from worker.emulator.api.delivery import Dated, Delivery, abort
from worker.emulator.api.responses import Answer
from worker.emulator.api.v2 import View, Visit
from worker.emulator.vendor import Vendor


def application(vendor: Vendor) -> Starlette:
    endpoints = Endpoints(vendor)
    return Starlette(
        routes=[
            Route("/v1/get-user-credits", endpoints.credits, methods=["GET"]),
            Route("/v1/{slug}", endpoints.speak, methods=["POST"]),
            Route("/v2/{slug}", endpoints.submit, methods=["POST"]),
            Route("/v2/requests/{request_id}/status", endpoints.status, methods=["GET"]),
            Route("/v2/requests/{request_id}", endpoints.result, methods=["GET"]),
            Route("/v1/requests/{request_id}", endpoints.result, methods=["GET"]),
            Route("/files/{name}", endpoints.file, methods=["GET"]),
            Mount("/_emulator", routes=control(vendor)),
        ],
        exception_handlers={404: _unknown_path, 405: _wrong_verb},
        middleware=[Middleware(Dated)],
    )


class Endpoints:
    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    async def speak(self, request: Request) -> Response:
        """A blocking v1 call; the response is the audio."""
        ticket = v1.receive(self._vendor, await _call(request))
        if ticket.wait_seconds > 0:
            await _wait(request, ticket.wait_seconds)
        return Delivery(v1.settle(self._vendor, ticket, self._files_url(request)))

    async def submit(self, request: Request) -> Response:
        """A v2 submission; responds immediately."""
        return await _delivered(request, v2.submit(self._vendor, await _call(request), _base_url(request)))

    async def status(self, request: Request) -> Response:
        return await _delivered(request, v2.poll(self._vendor, self._visit(request, View.STATUS)))

    async def result(self, request: Request) -> Response:
        return await _delivered(request, v2.poll(self._vendor, self._visit(request, View.RESULT)))

    async def credits(self, request: Request) -> Response:
        headers = request.headers
        return Delivery(v1.balance(self._vendor, headers.get("x-api-key"), bearer="authorization" in headers))

    async def file(self, request: Request) -> Response:
        with_key = "x-api-key" in request.headers
        return await _delivered(request, v1.file(self._vendor, request.path_params["name"], with_key=with_key))

    def _visit(self, request: Request, view: View) -> Visit:
        return Visit(
            request_id=request.path_params["request_id"],
            view=view,
            key=request.headers.get("x-api-key"),
            bearer="authorization" in request.headers,
            base_url=_base_url(request),
            files_url=self._files_url(request),
        )

    def _files_url(self, request: Request) -> str:
        host = self._vendor.config.files_host
        return _base_url(request) if host is None else f"{request.url.scheme}://{host}:{request.url.port}"


async def _delivered(request: Request, answer: Answer) -> Response:
    if answer.wait_seconds > 0:
        await _wait(request, answer.wait_seconds)
    return Delivery(answer)


async def _call(request: Request) -> Call:
    headers = request.headers
    return Call(
        slug=request.path_params["slug"],
        key=headers.get("x-api-key"),
        bearer="authorization" in headers,
        content_type=headers.get("content-type", ""),
        fields=parse(await request.body()),
        version=request.url.path.split("/")[1],
    )


async def _wait(request: Request, seconds: float) -> None:
    """Wait even if the client disconnects, as the real API does."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        # The emulator is stopping: drop the connection rather than send a response of uvicorn's.
        abort(request.scope)
        raise


def _base_url(request: Request) -> str:
    return str(request.base_url).rstrip("/")


async def _unknown_path(request: Request, error: Exception) -> Response:  # noqa: ARG001  # starlette's signature
    return Delivery(refusals.unknown_path())


async def _wrong_verb(request: Request, error: Exception) -> Response:  # noqa: ARG001  # starlette's signature
    allowed = error.headers or {} if isinstance(error, HTTPException) else {}
    answer = refusals.wrong_verb()
    return Response(answer.body, answer.status, dict(allowed), answer.content_type)
