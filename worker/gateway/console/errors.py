"""Errors as pages: the same problems as in the API, for people."""

from __future__ import annotations

from typing import Final

from starlette.responses import HTMLResponse, Response

from worker.gateway.console.environment import HEADERS, POLICY, environment
from worker.gateway.problems import ProblemError

PREFIX: Final = "/console"


def is_console(path: str) -> bool:
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def response(problem: ProblemError, request_id: str | None) -> Response:
    template = environment().get_template("error.html")
    content = template.render(
        title=problem.title,
        detail=problem.detail,
        faults=[str(fault) for fault in problem.faults],
        status=problem.status,
        request_id=request_id,
        visitor=None,
        path="",
        nonce="",
        notice=None,
    )
    headers = HEADERS | problem.headers | {"content-security-policy": POLICY.format(nonce="none")}
    return HTMLResponse(content, problem.status, headers)
