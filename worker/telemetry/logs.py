"""Structured logs: one event per transition; readable on a terminal, JSON for machines, API key redacted."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Collection, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn, TextIO

import structlog

from api_models.escaping import escaped, escaped_line
from worker.environment import private_files
from worker.settings import Settings
from worker.telemetry.redaction import longest_first, redact, redact_all

Event = MutableMapping[str, Any]
_HOST: Final = socket.gethostname()
_MULTILINE: Final = frozenset({"exception", "stack"})
_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_CHATTY: Final = ("psycopg", "urllib3.connectionpool")
"""Libraries whose warnings repeat an error that the caller gets, or report a connection that is closed on purpose."""


def configure(settings: Settings, to: Path | None = None) -> None:
    """Send log events, including those of libraries, to standard error or append them to a file."""
    stream = _opened(to) if to else sys.stderr
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _on_this_host,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _Redacted(settings.secrets),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(default=str)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    safe = [] if as_json else [_escaped]  # JSON escapes by itself
    level = _LEVELS[settings.log_level]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _FileHandler(stream) if to else logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *safe, renderer],
        )
    )
    root = logging.getLogger()
    for earlier in root.handlers:
        if isinstance(earlier, _FileHandler):
            earlier.close()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("ttsq").setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)


def exit_with(message: str, *secrets: str) -> NoReturn:
    """Exit with status 1 and a message on standard error, escaped and redacted."""
    sys.exit(escaped(redact(message, *secrets)))


def silence() -> None:
    """Drop all log events, for commands that print the same facts themselves."""
    structlog.configure(processors=[_drop])


@contextmanager
def silenced() -> Iterator[None]:
    before = structlog.get_config()
    silence()
    try:
        yield
    finally:
        structlog.configure(**before)


def _opened(path: Path) -> TextIO:
    private_files.make_folder(path.parent)
    return private_files.appended(path)


def _on_this_host(_logger: object, _method: str, event: Event) -> Event:
    event.setdefault("host", _HOST)
    return event


def _drop(_logger: object, _method: str, _event: Event) -> Event:
    raise structlog.DropEvent


class _FileHandler(logging.StreamHandler[TextIO]):
    def close(self) -> None:
        super().close()
        self.stream.close()


class _Redacted:
    """Removes secrets from every value of an event, including library messages and tracebacks."""

    def __init__(self, secrets: Collection[str]) -> None:
        self._secrets = longest_first(secrets)

    def __call__(self, _logger: object, _method: str, event: Event) -> Event:
        for name, value in event.items():
            if name[:1] == "_":  # structlog's own
                continue
            event[name] = redact_all(value, self._secrets) if type(value) is str else self._redacted(value)
        return event

    def _redacted(self, value: object) -> object:
        match value:
            case bool() | int() | float() | None:
                return value
            case list() | tuple():
                return [self._redacted(one) for one in value]
            case dict():
                return {name: self._redacted(one) for name, one in value.items()}
            case _:
                return redact_all(str(value), self._secrets)


def _escaped(_logger: object, _method: str, event: Event) -> Event:
    """Keep foreign text from commanding the terminal, or from looking like another event."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = escaped(value) if name in _MULTILINE else escaped_line(value)
    return event
