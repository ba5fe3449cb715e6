"""A forked command is a process like any other: streams, folder, environment, signals, exit status, and its guard."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

import pytest

from tests.servers import forked
from tests.servers.process import Account, Process

SHOW: Final = """
import json, os, sys, threading
print(json.dumps([os.getcwd(), os.environ.get("WORD"), sys.argv[1:], sys.stdin.read(), threading.active_count()]))
print("here", file=sys.stderr)
sys.exit(7)
"""
WAIT: Final = "import sys, time; print('ready', flush=True); time.sleep(600)"
SECONDS: Final = 60.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


def test_what_a_process_is_given_and_leaves(tmp_path: Path) -> None:
    """Each is the request's own, and nothing of the server's."""
    done = forked.run(
        [sys.executable, "-c", SHOW, "one", "two"],
        input="typed",
        timeout=SECONDS,
        cwd=tmp_path,
        env={"PATH": os.defpath, "WORD": "ja"},
    )
    assert (done.returncode, done.stderr) == (7, "here\n")
    assert json.loads(done.stdout) == [str(tmp_path), "ja", ["one", "two"], "typed", 1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_signals_reach_it_and_are_its_status(number: signal.Signals) -> None:
    """As with a process that was started in the usual way."""
    with forked.start([sys.executable, "-c", WAIT], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.send_signal(number)
        assert process.wait(SECONDS) == -number
    assert not Path(f"/proc/{process.pid}").exists()


def test_a_guard_ends_it_with_its_folder(tmp_path: Path) -> None:
    """What holds a server holds a fork as well."""
    folder = tmp_path / "kept"
    folder.mkdir()
    process = Process("waiting", [sys.executable, "-c", WAIT], folder, Account.own())
    process.await_line("ready", SECONDS)
    assert Path(f"/proc/{process.pid}/stat").exists()
    process.end()
    assert not folder.exists()
    assert not Path(f"/proc/{process.pid}").exists()


def test_many_at_once_have_their_own_status() -> None:
    """Requests of several threads are not mixed up."""
    codes = list(range(20, 32))
    found: dict[int, int] = {}

    def leave(code: int) -> None:
        found[code] = forked.run([sys.executable, "-c", f"raise SystemExit({code})"], timeout=SECONDS).returncode

    threads = [threading.Thread(target=leave, args=(code,)) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {code: code for code in codes}
