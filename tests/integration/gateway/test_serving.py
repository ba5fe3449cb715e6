"""`ttsq serve`: one command for one machine, from a request to the audio and its webhook."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.gateway import Client, served
from tests.receiver import Receiver
from tests.servers import forked
from tests.servers.service_manager import listening
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator


@pytest.mark.timeout(180)
def test_one_machine_synthesizes_and_sends_the_webhook(tmp_path: Path) -> None:
    """A job comes in, `Prefer: wait` brings the audio itself, the callback is called, and Ctrl-C ends it all."""
    with Receiver() as receiver, Emulator(EmulatorConfig(latency_seconds=0.1)) as emulator:
        settings = {
            "SEGMIND_BASE_URL": emulator.base_url,
            "SEGMIND_API_KEY": emulator.key,
            "TTSQ_WEBHOOK_ALLOW": "127.0.0.0/8",
        }
        with served(tmp_path, "--all-in-one", **settings) as (process, address):
            client = Client(address)
            headers = {"Prefer": "wait=60", "Accept": "audio/*"}
            wanted = {"text": "The ferry leaves at ten past four.", "callback_url": receiver.url}
            reply = client("POST", "/v1/jobs", wanted, headers=headers, timeout=90)
            assert (reply.status, reply.headers["content-type"]) == (200, "audio/wav"), reply
            assert reply.body.startswith(b"RIFF")
            (job,) = client.get("/v1/jobs").json["jobs"]
            assert job["status"] == "succeeded"
            events = client.get("/v1/events").json["events"]
            assert [event["type"] for event in events] == ["job.succeeded"]
            (endpoint,) = client.get("/v1/endpoints").json["endpoints"]
            receiver.await_messages(1)
            assert receiver.messages[0].json["data"]["id"] == job["id"]
            assert endpoint["url"] is None
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        said = (tmp_path / "log").read_text()
        assert "Running without authentication" in said
        assert emulator.key not in said
        assert "ferry" not in said, "no text is logged"


@pytest.mark.timeout(120)
def test_what_others_could_reach_asks_for_keys(tmp_path: Path) -> None:
    """With a database or broker that others share, or on another address, the door is closed and it says so."""
    settings = {"TTSQ_BROKER_URL": "redis://127.0.0.1:9/0", "TTSQ_DATABASE_URL": f"sqlite:///{tmp_path}/queue.db"}
    forked.run(
        [sys.executable, "-m", "worker.cli", "migrate"], cwd=tmp_path, env=os.environ | settings, check=True, timeout=60
    )
    with served(tmp_path, **settings) as (process, address):
        assert Client(address).get("/v1/jobs").status == 401
        assert Client(address).get("/healthz").status == 200
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert "ttsq keys add" in (tmp_path / "log").read_text()


@pytest.mark.timeout(120)
def test_a_unit_of_systemd_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    """In the environment that `deploy/systemd` makes: its own folder, credentials as files, and a socket for news."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "TTSQ_DATABASE_URL").write_text(f"sqlite:///{tmp_path}/queue.db\n")
    settings = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "CREDENTIALS_DIRECTORY": str(credentials)}
    with listening(tmp_path / "notify") as systemd, served(tmp_path, **settings) as (process, address):
        systemd.await_message("READY=1")
        assert Client(address).get("/healthz").status == 200
        systemd.await_message("WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        systemd.await_message("STOPPING=1")
        assert process.wait(60) == 0
    assert (tmp_path / "queue.db").exists()
