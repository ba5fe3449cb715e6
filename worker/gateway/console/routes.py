"""The console's part of the application: its routes, and where a browser that opens `/` is sent."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import RedirectResponse, Response

from worker.gateway.console import (
    assets,
    batch_pages,
    document_pages,
    job_list,
    job_page,
    key_pages,
    live,
    money_page,
    now,
    operation_pages,
    schedule_pages,
    sign_in,
    try_page,
    webhook_pages,
)
from worker.gateway.console.access import SignInNeededError
from worker.gateway.problems import not_found

ROUTER: Final = APIRouter(include_in_schema=False)
ROUTERS: Final = (
    ROUTER,
    assets.router,
    sign_in.router,
    now.router,
    job_list.router,
    job_page.router,
    batch_pages.router,
    document_pages.router,
    operation_pages.router,
    money_page.router,
    webhook_pages.router,
    schedule_pages.router,
    key_pages.router,
    try_page.router,
    live.router,
)


@ROUTER.get("/")
async def get_root(request: Request) -> Response:
    """Send browsers to the console; programs get the same answer as for any other unknown path."""
    if "text/html" not in request.headers.get("accept", ""):
        raise not_found("path")
    return RedirectResponse("/console", 302)


def prepare(app: FastAPI) -> None:
    app.state.console_figures = now.FigureCache()
    app.add_exception_handler(SignInNeededError, sign_in.sign_in_needed)
