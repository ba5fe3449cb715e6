"""Other people's clients against a running gateway, each from its own package; `make clients` installs them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import urllib3

from tests.clients import environment
from tests.servers.ports import free_port
from tests.speaking import SPEECH, Speaking, speaking
from worker.store.database import Database

TEXT: Final = "The ferry leaves at ten past four."
CLIENTS: Final = Path(environment.__file__).parent
MASTER_KEY: Final = "sk-7d1f0a4c2b9e86355af1"
ISOLATED: Final[Mapping[str, str]] = {
    "PATH": os.environ["PATH"],
    "NO_PROXY": "127.0.0.1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MASTER_KEY": MASTER_KEY,
}
pytestmark = [
    pytest.mark.skipif(not environment.is_ready(), reason="`make clients` installs the clients"),
    pytest.mark.timeout(240),
]


@pytest.fixture
def speaks(on_sqlite: Database, tmp_path: Path) -> Iterator[Speaking]:
    """A gateway with keys, whose worker is in this process."""
    with speaking(on_sqlite, tmp_path, open_door=False) as started:
        yield started


def output(*command: str) -> dict[str, Any]:
    """What a client printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, env=dict(ISOLATED), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def stored(speaks: Speaking, key: str, **fields: str) -> tuple[int, str]:
    """Size and checksum of what the gateway sends to a plain client."""
    asked = {"model": "tts-1", "voice": "alloy", "input": TEXT, **fields}
    reply = speaks.client("POST", SPEECH, asked, headers={"Authorization": f"Bearer {key}"})
    assert reply.headers["x-ttsq-cache"] == "hit"
    return len(reply.body), hashlib.sha256(reply.body).hexdigest()


def test_litellm_and_langchain_speak(speaks: Speaking) -> None:
    """The bytes of the gateway, one bill for both, and an error that names the field."""
    key = str(speaks.gateway.client().key)
    answers = output(str(environment.PYTHON), str(CLIENTS / "python_clients.py"), speaks.base_url, key, TEXT)
    size, sha256 = stored(speaks, key)
    assert answers["litellm"] == answers["langchain"] == {"bytes": size, "sha256": sha256}
    assert 'did you mean "alloy"' in answers["litellm_error"].replace("\\", "")
    assert speaks.bills == 1


@pytest.mark.skipif(not environment.has_node(), reason="npm is not installed")
def test_openais_node_sdk_and_the_ai_sdk_speak(speaks: Speaking) -> None:
    """Every format, an event stream, the list of models, an error, and a file whose type the AI SDK recognises."""
    key = str(speaks.gateway.client().key)
    answers = output("node", str(environment.NODE_CLIENT), speaks.base_url, key, TEXT)
    for form in ("mp3", "opus", "aac", "flac", "wav", "pcm"):
        found = answers[f"openai_{form}"]
        assert (found["bytes"], found["sha256"]) == stored(speaks, key, response_format=form)
    mp3 = answers["openai_mp3"]
    assert answers["openai_events"] == {"bytes": mp3["bytes"], "sha256": mp3["sha256"]}
    assert answers["openai_error"] == {"name": "BadRequestError", "param": "voice", "status": 400}
    assert "gemini-3.1-flash-tts" in answers["openai_models"]
    assert (answers["ai_sdk"]["sha256"], answers["ai_sdk"]["type"]) == (mp3["sha256"], "audio/mpeg")
    assert speaks.bills == 1


@contextmanager
def litellm_proxy(speaks: Speaking, key: str, folder: Path) -> Iterator[str]:
    """LiteLLM's proxy in front of the gateway, with its own retries off."""
    port = free_port()
    upstream = {"model": "openai/tts-1", "api_base": speaks.base_url, "api_key": key, "max_retries": 0}
    config = {
        "model_list": [{"model_name": "tts-1", "litellm_params": upstream}],
        "litellm_settings": {"num_retries": 0, "telemetry": False},
    }
    (folder / "proxy.yaml").write_text(json.dumps(config), encoding="utf-8")
    command = [str(environment.PROXY), "--config", "proxy.yaml", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=dict(ISOLATED), stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        retries = urllib3.Retry(total=None, connect=600, backoff_factor=0.1, backoff_max=0.2)
        assert urllib3.request("GET", f"{address}/health/liveliness", retries=retries).status == 200
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_litellms_proxy_passes_speech_on(speaks: Speaking, tmp_path: Path) -> None:
    """One request through it is one bill; an invalid one keeps its message."""
    key = str(speaks.gateway.client().key)
    with litellm_proxy(speaks, key, tmp_path) as address:
        asked = {"model": "tts-1", "voice": "alloy", "input": TEXT}
        headers = {"Authorization": f"Bearer {MASTER_KEY}"}
        spoken = urllib3.request("POST", f"{address}/v1/audio/speech", json=asked, headers=headers)
        assert spoken.status == 200, spoken.data
        assert (len(spoken.data), hashlib.sha256(spoken.data).hexdigest()) == stored(speaks, key)
        refused = urllib3.request(
            "POST", f"{address}/v1/audio/speech", json={**asked, "voice": "aloy"}, headers=headers, retries=False
        )
        assert refused.status == 400
        assert b"did you mean" in refused.data
    assert speaks.bills == 1
