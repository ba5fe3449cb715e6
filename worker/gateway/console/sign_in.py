"""Signing in by a one-time link or an API key, signing out, and the answer to requests without a session."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from worker.gateway.answers import gateway_of
from worker.gateway.console import pages
from worker.gateway.console.access import (
    COOKIE,
    MAX_TOKEN_CHARACTERS,
    SignedIn,
    keep_signed_in,
    next_path,
    posted,
    refuse_foreign_forms,
    sign_in_path,
)
from worker.gateway.console.environment import HEADERS
from worker.gateway.middleware.api_keys import MAX_KEY_CHARACTERS
from worker.gateway.parts import Gateway
from worker.store.access import api_keys, console_log, console_sessions

router = APIRouter(prefix="/console", include_in_schema=False)

WRONG_KEY: Final = "This is not a valid key. `ttsq keys list` lists the keys by their first characters."
WRONG_LINK: Final = (
    "This link was used or has expired: it works once, for 15 minutes. Print a new one with `ttsq console`."
)
Word = Annotated[str | None, Query(max_length=2_000)]


@router.get("/login")
async def get_login(request: Request, next: Word = None) -> Response:  # noqa: A002 - the name in the address
    """Show the form for a key."""
    return pages.render(request, "login.html", None, {"next": next_path(next), "error": None})


@router.get("/link")
async def use_link(request: Request, token: Word = None) -> Response:
    """Sign in by a one-time link. A browser that only prefetches it leaves it unused."""
    if "prefetch" in request.headers.get("sec-purpose", request.headers.get("purpose", "")):
        return Response(None, 503, HEADERS)
    given = token or ""
    made = await run_in_threadpool(_by_link, gateway_of(request), given) if _is_token(given) else None
    if made is None:
        values = {"next": "/console", "error": WRONG_LINK}
        return pages.render(request, "login.html", None, values, status=403)
    return _signed_in(request, made, "/console")


@router.post("/login")
async def post_login(request: Request) -> Response:
    """Sign in with a key of the API."""
    form = await posted(request)
    key, wanted = str(form.get("key", "")).strip(), next_path(str(form.get("next", "")))
    known = key.isascii() and 0 < len(key) <= MAX_KEY_CHARACTERS
    made = await run_in_threadpool(_by_key, gateway_of(request), key) if known else None
    if made is None:
        return pages.render(request, "login.html", None, {"next": wanted, "error": WRONG_KEY}, status=403)
    return _signed_in(request, made, wanted)


@router.post("/logout")
async def post_logout(request: Request, visitor: SignedIn) -> Response:
    refuse_foreign_forms(request)
    await run_in_threadpool(_end, gateway_of(request), visitor)
    answer = pages.see_other("/console/login")
    answer.delete_cookie(COOKIE, path="/console", httponly=True, samesite="strict")
    return answer


def _is_token(given: str) -> bool:
    return given.isascii() and 0 < len(given) <= MAX_TOKEN_CHARACTERS


def _signed_in(request: Request, token: str, path: str) -> Response:
    """A page that leads on by itself, not a redirect: after a link on another site, browsers would withhold the strict
    cookie from the redirected request.
    """
    answer = pages.render(request, "signed_in.html", None, {"next": path})
    keep_signed_in(answer, token, gateway_of(request))
    return answer


def _by_link(gateway: Gateway, token: str) -> str | None:
    with gateway.database.begin() as connection:
        now = gateway.database.now(connection)
        made = console_sessions.use_link(connection, token, now=now)
        if made is None:
            return None
        session, cookie = made
        console_log.note(
            connection, tenant=session.tenant, actor=session.name, action="sign in", detail="one-time link", now=now
        )
    return cookie


def _by_key(gateway: Gateway, key: str) -> str | None:
    with gateway.database.begin() as connection:
        record = api_keys.by_key(connection, key)
        if record is None:
            return None
        now = gateway.database.now(connection)
        session, cookie = console_sessions.of_key(connection, record, now=now)
        api_keys.note_use(connection, record.id, now=now)
        detail = f"key {record.prefix}…"
        console_log.note(
            connection, tenant=session.tenant, actor=session.name, action="sign in", detail=detail, now=now
        )
    return cookie


def _end(gateway: Gateway, visitor: SignedIn) -> None:
    with gateway.database.begin() as connection:
        console_sessions.end(connection, visitor.session)
        now = gateway.database.now(connection)
        console_log.note(connection, tenant=visitor.tenant, actor=visitor.name, action="sign out", now=now)


async def sign_in_needed(request: Request, _error: Exception) -> Response:
    """Send a reader to the form; scripts and posted forms are refused with a page that leads there."""
    path = sign_in_path(request) if request.method == "GET" else "/console/login"
    if request.method in {"GET", "HEAD"} and "hx-request" not in request.headers and _is_page(request):
        return pages.see_other(path)
    values = {
        "next": next_path(request.url.path),
        "error": "The session has ended. Sign in again; nothing was changed.",
    }
    answer = pages.render(request, "login.html", None, values, status=401)
    answer.headers["hx-redirect"] = path
    return answer


def _is_page(request: Request) -> bool:
    return request.headers.get("sec-fetch-dest", "document") in {"document", "empty"}
