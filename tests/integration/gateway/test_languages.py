"""Signatures across languages: ours are taken by others' code, and theirs by ours.

JavaScript runs the specification's own library, fetched once from npm; Java computes by the JDK's own cryptography.
Where a language or its registry isn't to be had, its test is skipped and says so.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from worker.webhooks import signatures

CODE: Final = Path(__file__).resolve().parents[2] / "languages"
LIBRARY: Final = "standardwebhooks@1.1.1"
BODY: Final = '{"type":"job.succeeded","data":{"text":"größe 日本 👋"}}'
SECRET: Final = signatures.new_secret()
ID: Final = "evt_7"


def run(command: list[str], **options: Any) -> str:  # noqa: ANN401 - those of subprocess.run
    """What a program says."""
    said: str = subprocess.run(command, capture_output=True, text=True, check=True, timeout=110, **options).stdout
    return said.strip()


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which Node finds the library."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("there is no Node on this machine")
    folder = tmp_path_factory.mktemp("node")
    command = [
        "npm",
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
        str(folder),
        LIBRARY,
    ]
    try:
        run(command)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip(f"npm can't fetch {LIBRARY} from here")
    return folder


def node(modules: Path, what: str, **given: Any) -> Any:  # noqa: ANN401 - whatever JSON has
    """What the library for JavaScript says."""
    environment = os.environ | {"MODULES": str(modules / "node_modules" / "x.js")}
    return json.loads(run(["node", str(CODE / "standard.mjs"), what], input=json.dumps(given), env=environment))


@pytest.mark.timeout(240)
def test_javascript_takes_our_messages(modules: Path) -> None:
    """Also one of two signatures, while a secret is being changed; and not a body that was changed."""
    now = datetime.now(UTC)
    headers = signatures.headers([signatures.new_secret(), SECRET], ID, now, BODY.encode())
    assert node(modules, "verify", secret=SECRET, headers=headers, body=BODY) == json.loads(BODY)
    with pytest.raises(subprocess.CalledProcessError):
        node(modules, "verify", secret=SECRET, headers=headers, body=BODY + " ")


@pytest.mark.timeout(240)
def test_we_take_messages_from_javascript(modules: Path) -> None:
    """Signed by the library."""
    now = datetime.now(UTC)
    mark = node(modules, "sign", secret=SECRET, id=ID, seconds=int(now.timestamp()), body=BODY)
    headers = {"webhook-id": ID, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": mark}
    assert signatures.is_valid(SECRET, headers, BODY.encode(), now)
    assert not signatures.is_valid(SECRET, headers, BODY.encode() + b" ", now)


@pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java on this machine")
def test_java_and_we_agree() -> None:
    """Both ways."""
    now = datetime.now(UTC)
    seconds, body = str(int(now.timestamp())), base64.b64encode(BODY.encode()).decode()
    program = ["java", str(CODE / "Standard.java")]
    marks = signatures.headers([signatures.new_secret(), SECRET], ID, now, BODY.encode())["webhook-signature"]
    assert run([*program, "verify", SECRET, ID, seconds, body, marks]) == "true"
    assert run([*program, "verify", signatures.new_secret(), ID, seconds, body, marks]) == "false"
    mark = run([*program, "sign", SECRET, ID, seconds, body])
    headers = {"webhook-id": ID, "webhook-timestamp": seconds, "webhook-signature": mark}
    assert signatures.is_valid(SECRET, headers, BODY.encode(), now)
