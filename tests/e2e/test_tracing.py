"""One trace a job, from the request that handed it in to its recorded audio, as a collector of traces sees it."""

from __future__ import annotations

import gzip
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.gateway import Client
from tests.receiver import Message, Receiver
from tests.servers.process import Account, Process
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CLIENT = "00f067aa0ba902b7"
TEXT = "Only the voice should ever see this sentence."
LISTENS = "Gateway listening at "


def spans(messages: Iterable[Message]) -> list[Span]:
    """What the exporter has sent."""
    found: list[Span] = []
    for message in messages:
        body = gzip.decompress(message.body) if message.headers.get("content-encoding") == "gzip" else message.body
        assert TEXT.encode() not in body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                found += scope.spans
    return found


def test_a_job_is_one_trace_from_its_request_to_its_record(tmp_path: Path) -> None:
    """The attempt hangs under the request, which hangs under the client's own span; its steps hang under it. No text
    and no key is in any of them."""
    with Receiver() as collector, Emulator(EmulatorConfig()) as emulator:
        environment = {
            "SEGMIND_API_KEY": emulator.key,
            "SEGMIND_BASE_URL": emulator.base_url,
            "TTSQ_TRACING": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/hook"),
            "NO_PROXY": "127.0.0.1",
        }
        command = [sys.executable, "-m", "worker.cli", "serve", "--all-in-one", "--port", "0"]
        gateway = Process("gateway", command, tmp_path, Account.own(), {**os.environ, **environment})
        try:
            gateway.await_line(LISTENS, 30)
            address = gateway.log.split(LISTENS)[1].split()[0]
            reply = Client(address).post(
                "/v1/jobs", {"text": TEXT}, traceparent=f"00-{TRACE}-{CLIENT}-01", prefer="wait=30"
            )
            assert reply.json["status"] == "succeeded"
            gateway.signal(signal.SIGTERM)
            gateway.wait(30)
        finally:
            gateway.end()
        assert all(emulator.key.encode() not in message.body for message in collector.messages)
        ours = {span.name: span for span in spans(collector.messages) if span.trace_id.hex() == TRACE}
    parents = {name: span.parent_span_id for name, span in ours.items()}
    assert parents["request"].hex() == CLIENT
    assert parents["attempt"] == ours["request"].span_id
    steps = {"call", "accept", "upload", "record"}
    assert {name for name, parent in parents.items() if parent == ours["attempt"].span_id} == steps


def test_a_worker_that_can_not_trace_says_so(tmp_path: Path) -> None:
    """Where OpenTelemetry isn't installed, asking for traces ends the start with the remedy."""
    exporter = tmp_path / "hidden" / "opentelemetry" / "exporter"
    exporter.mkdir(parents=True)
    (exporter / "__init__.py").write_text("raise ImportError\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "hidden"), "TTSQ_TRACING": "otlp"}
    # With an option of Python's, so that it is started afresh: a forked process has the exporter already.
    command = [sys.executable, "-X", "utf8", "-m", "worker.cli", "serve", "--port", "0"]
    gateway = Process("gateway", command, tmp_path, Account.own(), environment)
    try:
        assert gateway.wait(30) == 2
        assert "OpenTelemetry is not installed" in gateway.whole_log
        assert "pip install 'ttsq[otel]'" in gateway.whole_log
    finally:
        gateway.end()
