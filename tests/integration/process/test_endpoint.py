"""A worker's own `/metrics` and `/healthz`."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from typing import Final

import pytest

from tests.servers.ports import LOOPBACK
from tests.servers.prometheus import check
from worker.monitoring.catalogue import FAMILIES, Source
from worker.process.endpoint import MAX_CONNECTIONS, WorkerEndpoint
from worker.process.figures import WorkerFigures

WELL: Final = WorkerFigures(
    slots=50, attempts=7, heartbeat_age=1.5, leads=True, problem=None, is_alive=True, dropped_messages=2
)


@contextmanager
def serving(figures: WorkerFigures = WELL, host: str = LOOPBACK) -> Iterator[WorkerEndpoint]:
    endpoint = WorkerEndpoint(host, 0, lambda: figures)
    endpoint.start()
    try:
        yield endpoint
    finally:
        endpoint.stop()


def get(endpoint: WorkerEndpoint, path: str, method: str = "GET") -> tuple[int, str]:
    connection = HTTPConnection(endpoint.host, endpoint.port, timeout=20)
    connection.request(method, path)
    response = connection.getresponse()
    found = response.status, response.read().decode()
    connection.close()
    return found


@pytest.mark.parametrize("host", [LOOPBACK, "::1"])
def test_a_worker_shows_its_own_figures(host: str) -> None:
    """All of the table's, clean by promtool's rules, with those of the process."""
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with serving(host=host) as endpoint:
        status, text = get(endpoint, "/metrics")
    assert status == 200
    own = {family.name for family in FAMILIES if family.source is Source.WORKER}
    assert {name for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE) if name.startswith("ttsq")} == own
    assert "ttsq_worker_attempts 7.0\n" in text
    assert "ttsq_worker_messages_dropped_total 2.0\n" in text
    assert check("metrics", text=text) == ""


def test_health_is_about_threads_and_not_about_services() -> None:
    """A restart helps a hanging thread; it helps no database that is away, and would cut off calls under way."""
    with serving(replace(WELL, heartbeat_age=900.0, problem="the broker does not answer")) as endpoint:
        assert get(endpoint, "/healthz") == (200, "ok\n")
    with serving(replace(WELL, is_alive=False)) as endpoint:
        assert get(endpoint, "/healthz")[0] == 503
        assert get(endpoint, "/")[0] == 404
        assert get(endpoint, "/metrics", method="POST")[0] == 501


def test_a_taken_port_is_no_reason_not_to_work() -> None:
    """Several workers of a host share a setting."""
    with serving() as first:
        second = WorkerEndpoint(LOOPBACK, first.port, lambda: WELL)
        second.start()
        second.stop()
        assert get(first, "/healthz")[0] == 200


def test_idle_connections_are_bounded() -> None:
    """A client that only connects takes a place until its time is up, and never a thread without end."""
    with serving() as endpoint:
        idle = [socket.create_connection((LOOPBACK, endpoint.port)) for _ in range(MAX_CONNECTIONS)]
        refused = socket.create_connection((LOOPBACK, endpoint.port))
        refused.settimeout(20)
        assert refused.recv(1) == b""
        for one in (*idle, refused):
            one.close()
