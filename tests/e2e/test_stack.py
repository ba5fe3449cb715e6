"""`make stack`: up, used from another terminal, down, with nothing left behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from tests.cluster.cluster import TTSQ
from tests.cluster.waiting import wait_for
from tests.stack import READY, STOPPED

ROOT: Final = Path(__file__).parents[2]
START_SECONDS: Final = 90.0
END_SECONDS: Final = 60.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is left behind is looked up in /proc")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the stack of this test notes itself."""
    return tmp_path / "stack"


@pytest.fixture
def stack(folder: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A stack, up and running."""
    log = tmp_path / "stack.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.stack"], cwd=ROOT, env=_environment(folder), stdout=stream, stderr=stream
        )
    try:
        wait_for(lambda: READY in log.read_text(), seconds=START_SECONDS, what="the stack up", instead=log.read_text)
        yield process
    finally:
        process.terminate()
        process.wait(END_SECONDS)


def test_a_stack_comes_up_works_and_leaves_nothing(
    stack: subprocess.Popen[bytes], folder: Path, tmp_path: Path
) -> None:
    """Its settings in a shell are enough for `ttsq run`; a second one is refused; `stop` ends it and all it started."""
    started = _descendants(stack.pid)
    home = {**_environment(folder), "HOME": str(tmp_path)}
    (tmp_path / "texts.txt").write_text("The ferry is in.\nThe bakery is open.\n", encoding="utf-8")

    spoken = subprocess.run(
        ["sh", "-c", f'. {folder / "environment"} && exec "{TTSQ}" run texts.txt --out spoken --yes'],
        cwd=tmp_path,
        env=home,
        capture_output=True,
        text=True,
        timeout=END_SECONDS,
        check=False,
    )
    answered = _post_job((tmp_path / "stack.log").read_text(encoding="utf-8"))
    second = _command(folder)
    stopped = _command(folder, "stop")

    assert spoken.returncode == 0, spoken.stderr
    assert len(list((tmp_path / "spoken").glob("*.wav"))) == 2
    assert answered == 200
    assert second.returncode == 1
    assert "make stack-stop" in second.stderr
    assert (stopped.returncode, stopped.stdout.strip()) == (0, STOPPED)
    assert stack.wait(END_SECONDS) == 0
    assert len(started) >= 5
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert not folder.exists()
    assert _command(folder, "stop").stdout.strip() == "no stack runs here"


def _post_job(log: str) -> int:
    """Send the request that the stack printed: the gateway's answer, once its job has finished."""
    address = re.search(r"Gateway +(http://\S+)", log)
    key = re.search(r"Bearer (\S+)'", log)
    assert address is not None, log
    assert key is not None, log
    headers = {"Authorization": f"Bearer {key[1]}", "Content-Type": "application/json", "Prefer": "wait=30"}
    request = urllib.request.Request(f"{address[1]}/v1/jobs", b'{"text": "Good morning."}', headers)
    with urllib.request.urlopen(request, timeout=END_SECONDS) as answer:
        return int(answer.status)


def _descendants(pid: int) -> set[int]:
    """All processes that this one started, and those that they did."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name of a program, in parentheses, may hold spaces.
            parents[int(status.parent.name)] = int(status.read_text().rsplit(")", 1)[1].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def _command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.stack", *words],
        cwd=ROOT,
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=END_SECONDS,
        check=False,
    )


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "NO_PROXY": "127.0.0.1", "STACK_DIR": str(folder)}
