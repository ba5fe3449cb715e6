"""Processes of this project's own commands, forked from a server that has imported their modules: see `fork_server`.

To import what a worker or `ttsq run` needs takes a second of a core, and the tests start a thousand of them. Everything
else about such a process is as it would be: its streams, folder, environment, signals and exit status. Off Linux, for
other programs, and where `enable` was not called, processes are started in the usual way.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.servers.errors import ServerFailedError

PROGRAM: Final = Path(__file__).with_name("fork_server.py")
GUARD: Final = Path(__file__).with_name("process_guard.py")
MODULES: Final = ("worker.cli", "celery")
FILES: Final = ("emulating.py",)
GUARD_WORDS: Final = 4
"""Words between the guard's own file and the command that it holds."""
PID_BYTES: Final = 4
"""Of an id, and of a wait status."""
LOST: Final = -signal.SIGKILL
"""The status of a process whose server is gone."""

_enabled: list[bool] = []
_lock: Final = threading.Lock()
_server: list[socket.socket] = []


def enable() -> None:
    """Use a fork server in this process."""
    if sys.platform == "linux":
        _enabled[:] = [True]


def start(arguments: Sequence[str], **options: Any) -> subprocess.Popen[Any]:  # noqa: ANN401 - those of Popen
    """As `subprocess.Popen`, with less to wait for where the program is one of ours."""
    return (Forked if _enabled and _program(_split(arguments)[1]) else subprocess.Popen)(list(arguments), **options)


def run(
    arguments: Sequence[str],
    *,
    timeout: float,
    input: str | None = None,  # noqa: A002 - its name in `subprocess`
    check: bool = False,
    **options: Any,  # noqa: ANN401 - those of Popen
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` with its output captured as text."""
    stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
    pipes = {"stdin": stdin, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with start(arguments, **(pipes | options)) as process:
        try:
            out, err = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(list(arguments), process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


class Forked(subprocess.Popen[Any]):
    """A process that the fork server has started and waits for."""

    _status: int
    """The pipe on which its wait status arrives."""

    def _execute_child(self, args: list[str], *given: Any) -> None:  # noqa: ANN401 - as `subprocess` calls it
        cwd, env = given[4:6]
        pipes = given[9:15]
        in_child, _, _, out_child, _, err_child = pipes
        guard, command = _split(args)
        module = _program(command)
        assert module is not None
        request = {
            "argv": module,
            "kind": command[1],
            "env": dict(os.environ if env is None else env),
            "cwd": str(cwd or Path.cwd()),
            "new_session": given[20],
            "guard": guard,
        }
        wanted = [number if own == -1 else own for number, own in enumerate((in_child, out_child, err_child))]
        self._status, status = os.pipe()
        try:
            socket.send_fds(_started(), [json.dumps(request).encode()], [*wanted, status])
        finally:
            os.close(status)
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]
        started = os.read(self._status, PID_BYTES)
        if not started:
            raise ServerFailedError("fork server", "is gone")
        self._child_created = True
        self.pid = int.from_bytes(started, "little")

    def _internal_poll(self, *_: object, **__: object) -> int | None:
        self._receive(0)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        self._receive(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def _receive(self, timeout: float | None) -> None:
        """Wait for the process at most this long; sets `returncode` if it has left."""
        if self.returncode is not None or not select.select([self._status], [], [], timeout)[0]:
            return
        found = os.read(self._status, PID_BYTES)
        os.close(self._status)
        self.returncode = os.waitstatus_to_exitcode(int.from_bytes(found, "little")) if found else LOST


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The guard's words, if it holds the command, and the command."""
    words = list(arguments)
    if str(GUARD) not in words:
        return [], words
    first = words.index(str(GUARD)) + 1
    return words[first : first + GUARD_WORDS], words[first + GUARD_WORDS :]


def _program(command: Sequence[str]) -> list[str] | None:
    """The module, file or code of a command with its arguments, if the server can run it."""
    if command[:2] == [sys.executable, "-m"] and command[2] in MODULES:
        return list(command[2:])
    if command[:2] == [sys.executable, "-P"] and Path(command[2]).name in FILES:
        return list(command[2:])
    if command[:2] == [sys.executable, "-c"]:
        return list(command[2:])
    return None


def _started() -> socket.socket:
    with _lock:
        if not _server:
            own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-P", str(PROGRAM), str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    env=_environment(),
                    start_new_session=True,
                )
            _server.append(own)
            atexit.register(_end, own, process)
        return _server[0]


def _end(own: socket.socket, process: subprocess.Popen[bytes]) -> None:
    own.close()
    process.wait()


def _environment() -> Mapping[str, str]:
    """What imports may see of this process's environment. One thread: those of a library would not survive a fork."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "HOME") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}
