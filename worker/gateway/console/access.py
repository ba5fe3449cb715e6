"""Who is signed in, and what they may do: session cookies, forms with their tokens, scopes.

A form is accepted from a page of this console only: the browser's `Sec-Fetch-Site` and `Origin` must agree, and its
token must be the session's. The cookie is not sent by other sites.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from api_models.access import Scope
from api_models.http_problems import Trouble
from worker.gateway.answers import gateway_of
from worker.gateway.middleware.api_keys import Caller
from worker.gateway.parts import Gateway
from worker.gateway.problems import ProblemError
from worker.store.access import api_keys, console_log, console_sessions
from worker.store.access.console_sessions import SESSION_LIFE, SessionRecord

UNCHANGED: Final = "unchanged"
"""Logged for an action that came too late."""
COOKIE: Final = "ttsq_console"
MAX_TOKEN_CHARACTERS: Final = 100
MAX_FIELDS: Final = 60
MAX_FIELD_BYTES: Final = 64 * 1024
_PATH: Final = re.compile(r"/console(?:/(?!\.)[A-Za-z0-9._~-]+)*(?:\?[A-Za-z0-9._~%=&+:,-]*)?")
"""Where a sign-in may lead: a page of the console, never another host."""


class SignInNeededError(Exception):
    """There is no session, or it has expired."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in browser."""

    session: SessionRecord
    caller: Caller
    csrf: str
    hides_texts: bool = False
    """Its tenant's texts are not shown: `TTSQ_CONSOLE_HIDE_TEXTS`."""

    @property
    def tenant(self) -> str:
        return self.caller.tenant

    @property
    def name(self) -> str:
        return self.session.name

    def may(self, scope: str) -> bool:
        """Whether its scopes allow reading what `scope` covers."""
        return Scope(scope) in self.caller.scopes

    def can(self, scope: str) -> bool:
        """Whether it may also change it."""
        return self.may(scope) and not self.session.read_only


@dataclass(frozen=True, slots=True)
class Action:
    """A form that was posted and accepted."""

    visitor: Visitor
    form: FormData

    def field(self, name: str, default: str = "") -> str:
        value = self.form.get(name, default)
        return value if isinstance(value, str) else default


async def visitor_of(request: Request) -> Visitor:
    """Return the session's visitor. Raises SignInNeededError."""
    token = request.cookies.get(COOKIE, "")
    if not token or len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
        raise SignInNeededError
    found = await run_in_threadpool(_look_up, gateway_of(request), token)
    if found is None:
        raise SignInNeededError
    return found


def _look_up(gateway: Gateway, token: str) -> Visitor | None:
    with gateway.database.read() as connection:
        now = gateway.database.now(connection)
        session = console_sessions.by_token(connection, token, now=now)
        if session is None:
            return None
        key = None if session.key_id is None else api_keys.by_id(connection, session.key_id)
    if session.key_id is not None and key is None:
        return None
    scopes = session.scopes if key is None else session.scopes & key.scopes
    hides = bool({"*", session.tenant} & gateway.settings.hiding_tenants)
    return Visitor(session, Caller(session.tenant, scopes, key), csrf_of(token), hides)


def csrf_of(token: str) -> str:
    return hmac.new(token.encode(), b"form", hashlib.sha256).hexdigest()


SignedIn = Annotated[Visitor, Depends(visitor_of)]


def reads(scope: Scope) -> Any:  # noqa: ANN401 - FastAPI replaces the dependency by its value

    async def permitted(visitor: SignedIn) -> Visitor:
        if scope not in visitor.caller.scopes:
            raise _lacks(scope)
        return visitor

    return Depends(permitted)


def acts(scope: Scope) -> Any:  # noqa: ANN401 - likewise

    async def permitted(request: Request, visitor: SignedIn) -> Action:
        form = await posted(request)
        if not hmac.compare_digest(str(form.get("csrf", "")).encode(), visitor.csrf.encode()):
            raise ProblemError(Trouble.NOT_PERMITTED, "The form is outdated. Go back, reload the page, and try again.")
        if visitor.session.read_only:
            raise ProblemError(Trouble.NOT_PERMITTED, "This session may only read.")
        if scope not in visitor.caller.scopes:
            raise _lacks(scope)
        return Action(visitor, form)

    return Depends(permitted)


Reader = Annotated[Visitor, reads(Scope.READ)]
ReadingOperator = Annotated[Visitor, reads(Scope.OPERATE)]
ReadingAdmin = Annotated[Visitor, reads(Scope.ADMIN)]
Saving = Annotated[Action, acts(Scope.READ)]
Submitting = Annotated[Action, acts(Scope.SUBMIT)]
Operating = Annotated[Action, acts(Scope.OPERATE)]
Administering = Annotated[Action, acts(Scope.ADMIN)]
OperatingInstallation = Annotated[Action, acts(Scope.INSTALLATION)]


async def posted(request: Request) -> FormData:
    """Read a form from a page of this origin. Raises ProblemError for another origin or another kind of body."""
    refuse_foreign_forms(request)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/x-www-form-urlencoded":
        raise ProblemError(Trouble.WRONG_TYPE, "Send the form of the page.")
    return await request.form(max_files=0, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES)


def refuse_foreign_forms(request: Request) -> None:
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_foreign = site not in {None, "same-origin"}
    if origin is not None:
        is_foreign |= urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()
    if is_foreign:
        raise ProblemError(Trouble.NOT_PERMITTED, "The form was sent by a page of another site.")


def _lacks(scope: Scope) -> ProblemError:
    return ProblemError(Trouble.NOT_PERMITTED, f"This page requires a session with the scope `{scope}`.")


def keep_signed_in(response: Response, token: str, gateway: Gateway) -> None:
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION_LIFE.total_seconds()),
        path="/console",
        secure=gateway.base.startswith("https:"),
        httponly=True,
        samesite="strict",
    )


def next_path(given: str | None) -> str:
    """Return where to go after signing in: the given page of the console, else the first one."""
    return given if given and _PATH.fullmatch(given) else "/console"


def sign_in_path(request: Request) -> str:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    safe = next_path(wanted)
    return "/console/login" if safe == "/console" else f"/console/login?next={quote(safe, safe='')}"


def note(
    connection: Connection, action: Action, name: str, subject: str = "", detail: str = "", *, now: datetime
) -> None:
    """Log an action in the transaction that carries it out."""
    visitor = action.visitor
    console_log.note(
        connection, tenant=visitor.tenant, actor=visitor.name, action=name, subject=subject, detail=detail, now=now
    )
