"""The form of errors by path: OpenAI's below `/openai/`, pages below `/console`, RFC 9457 elsewhere."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from worker.gateway.console import errors as console_errors
from worker.gateway.openai import errors
from worker.gateway.problems import ProblemError

OPENAI: Final = "/openai/"


def response(problem: ProblemError, path: str, request_id: str | None) -> Response:
    if path.startswith(OPENAI):
        return errors.from_problem(problem).response()
    if console_errors.is_console(path):
        return console_errors.response(problem, request_id)
    return problem.response(request_id)
