"""The worker's own `/metrics` and `/healthz`, off by default: what this process does, without a query.

Weakness: no authentication. It listens on loopback unless the setting names another address; there, a network policy or
firewall must keep others out.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from worker.monitoring.exposition import counter, gauge
from worker.process.figures import WorkerFigures

REQUEST_SECONDS: Final = 5.0
"""A client that sends or reads nothing for this long is disconnected."""
MAX_CONNECTIONS: Final = 8
PLAIN: Final = "text/plain; charset=utf-8"

log = structlog.get_logger("ttsq.worker")


@dataclass(frozen=True, slots=True)
class _Figures(Collector):
    read: Callable[[], WorkerFigures]

    def collect(self) -> Iterable[Metric]:
        found = self.read()
        yield gauge("ttsq_worker_slots", [((), found.slots)])
        yield gauge("ttsq_worker_attempts", [((), found.attempts)])
        yield gauge("ttsq_worker_heartbeat_age_seconds", [((), found.heartbeat_age)])
        yield gauge("ttsq_worker_leads", [((), float(found.leads))])
        yield gauge("ttsq_worker_troubled", [((), float(found.problem is not None))])
        yield counter("ttsq_worker_messages_dropped_total", [((), found.dropped_messages)])


@dataclass(slots=True)
class WorkerEndpoint:
    """Serves between `start` and `stop`."""

    host: str
    port: int
    read: Callable[[], WorkerFigures]
    _registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    _server: TCPServer | None = None
    _places: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MAX_CONNECTIONS))

    def __post_init__(self) -> None:
        self._registry.register(_Figures(self.read))
        ProcessCollector(registry=self._registry)

    def start(self) -> None:
        """Listen. A taken port is logged, and no reason not to work: several workers of a host share a setting."""
        try:
            self._server = _server(self)
        except OSError as error:
            remedy = "set another TTSQ_WORKER_METRICS_ADDRESS for each worker of a host"
            log.warning(
                "worker_metrics_unavailable", address=f"{self.host}:{self.port}", error=str(error), remedy=remedy
            )
            return
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="ttsq-worker-metrics", daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body of a GET."""
        match path.partition("?")[0]:
            case "/metrics":
                return 200, CONTENT_TYPE_LATEST, generate_latest(self._registry)
            case "/healthz":
                return (200, PLAIN, b"ok\n") if self.read().is_alive else (503, PLAIN, b"A thread hangs.\n")
            case _:
                return 404, PLAIN, b"Not found: /metrics and /healthz are here.\n"

    def has_place(self) -> bool:
        return self._places.acquire(blocking=False)

    def leave_place(self) -> None:
        self._places.release()


def _server(endpoint: WorkerEndpoint) -> TCPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS
        server_version = "ttsq"
        sys_version = ""

        def do_GET(self) -> None:
            status, kind, body = endpoint.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Scrapes are not logged."""

    class Server(ThreadingMixIn, TCPServer):  # HTTPServer would look its own name up
        daemon_threads = True
        allow_reuse_address = True
        address_family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET

        def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the library's own
            if endpoint.has_place():
                super().process_request(request, client_address)
            else:
                self.shutdown_request(request)

        def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - likewise
            try:
                super().process_request_thread(request, client_address)
            finally:
                endpoint.leave_place()

        def handle_error(self, *_: object) -> None:
            """A client that disconnects is none."""

    return Server((endpoint.host, endpoint.port), Handler)
