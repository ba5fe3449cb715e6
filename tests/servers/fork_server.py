"""Starts this project's commands as forks of a process that has imported their modules already.

Called as `fork_server.py DESCRIPTOR`, a socket on which requests arrive, each with the four descriptors of a process:
stdin, stdout, stderr, and a pipe on which its id and later its wait status are written. It ends with its socket. It has
no thread: what was forked with one could lock up.
"""

from __future__ import annotations

import array
import gc
import importlib.util
import json
import os
import runpy
import select
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, NoReturn

MODULES: Final = (
    "worker.app",
    "worker.cli.run.command",
    "worker.cli.run.rehearsal",
    "worker.cli.gateway.serve",
    "worker.cli.service.migrate",
    "worker.gateway.server",
    "worker.gateway.parts",
    "worker.emulator.server",
    "worker.artifacts.s3.store",
    "worker.audio.measurement",
    "celery.bin.celery",
    "celery.bin.worker",
    "celery.worker.consumer",
    "celery.worker.autoscale",
    "celery.concurrency.thread",
    "celery.app.amqp",
    "celery.app.log",
    "kombu.transport.redis",
    "kombu.transport.memory",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "alembic.command",
    "botocore.session",
    "rich.progress",
    "rich.table",
    "typer.rich_utils",
)
"""What the commands import, by themselves or through others."""
REQUEST_BYTES: Final = 1 << 18
STREAMS: Final = 3
GUARD: Final = "process_guard.py"


@dataclass(frozen=True, slots=True)
class Request:
    """One process: the program with its arguments, and the guard that holds it, if any."""

    argv: list[str]
    kind: str
    """The interpreter's option before the program: -m, -P for a file, or -c."""
    env: dict[str, str]
    cwd: str
    new_session: bool
    guard: list[str]
    """FOLDER, QUIT_SIGNAL, UID and GID of `process_guard.py`, or nothing."""


class _ProgramError(BaseException):
    """Unwinds a fork of the guard, which becomes the guarded program."""


def main(descriptor: int) -> None:
    """Serve until the socket ends; in a fork, run the requested program."""
    _import(MODULES)
    request = _serve(socket.socket(fileno=descriptor))
    if request is not None:
        _run(request)


def _import(names: Sequence[str]) -> None:
    for name in names:
        with suppress(ImportError):  # an extra that is not installed
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _serve(requests: socket.socket) -> Request | None:
    """Fork for each request. Returns None once the socket has ended, and the request in its fork."""
    exits, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the tests
    statuses: dict[int, int] = {}
    watched: list[Any] = [requests, exits]
    while True:
        readable, _, _ = select.select(watched, [], [])
        if exits in readable:
            os.read(exits, 4096)
            _report(statuses)
        if requests in readable:
            data, descriptors = _receive(requests)
            if not data:
                return None
            child = os.fork()
            if child == 0:
                requests.detach()
                _take_over(descriptors)
                return Request(**json.loads(data))
            *streams, status = descriptors
            for stream in streams:
                os.close(stream)
            statuses[child] = status
            os.write(status, child.to_bytes(4, "little"))


def _receive(requests: socket.socket) -> tuple[bytes, list[int]]:
    descriptors = array.array("i")
    space = socket.CMSG_SPACE((STREAMS + 1) * descriptors.itemsize)
    data, ancillary, _, _ = requests.recvmsg(REQUEST_BYTES, space)
    for _, _, content in ancillary:
        descriptors.frombytes(content)
    return data, descriptors.tolist()


def _report(statuses: dict[int, int]) -> None:
    with suppress(ChildProcessError):
        while (left := os.waitpid(-1, os.WNOHANG))[0]:
            pipe = statuses.pop(left[0])
            with suppress(BrokenPipeError):
                os.write(pipe, left[1].to_bytes(4, "little"))
            os.close(pipe)


def _take_over(descriptors: Sequence[int]) -> None:
    """Make the streams of the request this fork's own, and forget everything of the server."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, descriptor in enumerate(descriptors[:STREAMS]):
        os.dup2(descriptor, number)
    os.closerange(STREAMS, max(256, *descriptors) + 1)


def _run(request: Request) -> None:
    if request.new_session:
        os.setsid()
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.env)
    time.tzset()
    if request.guard:
        _guard(request.guard)
    if "PYTHONWARNINGS" in request.env:
        warnings.simplefilter(request.env["PYTHONWARNINGS"])  # type: ignore[arg-type] # "error" is all that tests set
    _open_streams()
    sys.argv[:] = request.argv
    program = request.argv[0]
    if request.kind == "-c":
        sys.argv[0] = "-c"
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - it comes from the tests
    elif request.kind == "-m":
        sys.path.insert(0, request.cwd)
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(program, run_name="__main__")


def _open_streams() -> None:
    """Python's own streams, as at the start of an interpreter."""
    streams = [("stdin", "r", "strict"), ("stdout", "w", "strict"), ("stderr", "w", "backslashreplace")]
    for number, (name, mode, errors) in enumerate(streams):
        lines = 1 if os.isatty(number) or name == "stderr" else -1
        stream = open(number, mode, lines, "utf-8", errors, closefd=False)  # noqa: SIM115 - open to the end
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _guard(words: Sequence[str]) -> None:
    """Be the guard of a program; returns in the fork that becomes the program."""
    guard = _guard_module()

    def become() -> NoReturn:
        raise _ProgramError

    folder, quit_signal, uid, gid = words
    run: Callable[..., int] = guard.run
    try:
        status = run(folder, int(quit_signal), int(uid), int(gid), become)
    except _ProgramError:
        signal.set_wakeup_fd(-1)
        os.closerange(STREAMS, 256)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        return
    os._exit(status)


def _guard_module() -> ModuleType:
    folder, _, _ = __file__.rpartition("/")
    spec: Any = importlib.util.spec_from_file_location("process_guard", f"{folder}/{GUARD}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(int(sys.argv[1]))
