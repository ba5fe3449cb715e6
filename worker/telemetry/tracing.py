"""Optional OpenTelemetry traces (`ttsq[otel]`): one per job, from the submitting request to its recorded audio.

With tracing off, a span costs one comparison. The exporter reads the standard `OTEL_*` variables. Spans never carry
text, audio URLs or keys.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import structlog

from worker.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

Attributes = Mapping[str, str | int | bool]

REMEDY: Final = "pip install 'ttsq[otel]', or set it to off"
HEADER: Final = "traceparent"
SERVICE: Final = "ttsq"
STOP_SECONDS: Final = 1.0
log = structlog.get_logger("ttsq.tracing")

_NOTHING: Final[AbstractContextManager[None]] = nullcontext()


class MissingExtraError(Exception):
    """`TTSQ_TRACING` is on, and OpenTelemetry is not installed."""

    def __init__(self) -> None:
        super().__init__("TTSQ_TRACING is otlp, and OpenTelemetry is not installed")


@dataclass(frozen=True, slots=True)
class _Tracing:
    provider: TracerProvider
    tracer: Any
    propagator: Any

    @contextmanager
    def span(self, name: str, parent: str | None, attributes: Attributes | None) -> Iterator[None]:
        context = self.propagator.extract({HEADER: parent}) if parent else None
        with self.tracer.start_as_current_span(name, context=context, attributes=attributes):
            yield

    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        self.propagator.inject(carrier)
        return carrier.get(HEADER)

    def annotate(self, attributes: Attributes) -> None:
        from opentelemetry.trace import get_current_span  # noqa: PLC0415 - an extra

        get_current_span().set_attributes(attributes)


_on: list[_Tracing] = []
"""At most one per process."""


def is_missing(settings: Settings) -> bool:
    """Whether the settings ask for traces, and the extra isn't installed."""
    names = ("opentelemetry", "opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")
    return settings.tracing != "off" and not all(map(_is_installed, names))


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:  # a package above it is missing
        return False


def start(settings: Settings) -> None:
    """Start tracing in this process if the settings enable it. Raises MissingExtraError: OpenTelemetry is not
    installed.
    """
    if settings.tracing == "off" or _on:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415 - likewise
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - likewise
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - likewise
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - likewise
            TraceContextTextMapPropagator,
        )
    except ImportError as error:
        raise MissingExtraError from error
    resource = Resource({"service.name": SERVICE}).merge(OTELResourceDetector().detect())  # OTEL_SERVICE_NAME wins
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _on.append(_Tracing(provider, provider.get_tracer("ttsq"), TraceContextTextMapPropagator()))


def stop() -> None:
    """Flush buffered spans and stop tracing, within `STOP_SECONDS`: a dead collector must not delay the exit."""
    while _on:
        stopping = threading.Thread(target=_on.pop().provider.shutdown, name="ttsq-tracing-stop", daemon=True)
        stopping.start()
        stopping.join(STOP_SECONDS)
        if stopping.is_alive():
            log.warning("traces_lost", remedy="check that the OpenTelemetry collector answers")


def span(name: str, *, parent: str | None = None, attributes: Attributes | None = None) -> AbstractContextManager[None]:
    """Trace a block as a child of the current span, or of `parent`, a W3C `traceparent`."""
    return _on[0].span(name, parent, attributes) if _on else _NOTHING


def traceparent() -> str | None:
    """The current span as a W3C `traceparent`; None outside a span."""
    return _on[0].traceparent() if _on else None


def annotate(attributes: Attributes) -> None:
    if _on:
        _on[0].annotate(attributes)
