"""Holds one server: runs it as a child, passes signals on, and ends it when the holder of the leash is gone.

Called as `process_guard.py FOLDER QUIT_SIGNAL UID GID COMMAND…`. Every byte on stdin is a signal number for the server;
the end of stdin, which the kernel also brings about when the holder is killed, ends the server and removes FOLDER. The
first line of stdout is the server's process id; stderr is the server's log. It must import nothing but the standard
library.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

GRACE_SECONDS: Final = 3.0
"""How long the server may take to leave after its quit signal."""

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
"""From linux/prctl.h. A subreaper adopts the children of its dead children, so that none of them goes unnoticed."""

NOT_STARTED: Final = 127
"""Exit status of a server that could not be started, as a shell's."""
HOLDER: Final = 0
LOG: Final = 2


def main(folder: str, quit_signal: int, uid: int, gid: int, command: Sequence[str]) -> int:
    """Run a command until it leaves by itself or the holder lets go; the exit status is the command's."""

    def execute() -> NoReturn:
        try:
            os.execv(command[0], list(command))  # noqa: S606 - a shell is what must not come in between
        except OSError as error:
            os.write(LOG, f"{command[0]}: {error}\n".encode())
        os._exit(NOT_STARTED)

    return run(folder, quit_signal, uid, gid, execute)


def run(folder: str, quit_signal: int, uid: int, gid: int, become: Callable[[], NoReturn]) -> int:
    """As `main`, with a function that turns a fork into the server."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    exits = _exits_of_children()
    server = os.fork()
    if server == 0:
        _prepare(uid, gid)
        become()
    os.write(sys.stdout.fileno(), b"%d\n" % server)
    status = _watch(server, exits)
    if status is None:
        _end(server, quit_signal, exits)
    _sweep()
    if status is None:
        shutil.rmtree(folder, ignore_errors=True)
    return status or 0


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _exits_of_children() -> int:
    """A file descriptor that turns readable when a child has left."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return reader


def _prepare(uid: int, gid: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), HOLDER)
    os.dup2(LOG, sys.stdout.fileno())
    try:
        if uid != os.geteuid():
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        # Last, because the kernel forgets it at a change of user. It covers a leash that is itself killed.
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except OSError as error:
        os.write(LOG, f"user {uid}: {error}\n".encode())
        os._exit(NOT_STARTED)


def _watch(server: int, exits: int) -> int | None:
    """The server's exit status once it has left, or None once the holder has let go."""
    while True:
        readable, _, _ = select.select([HOLDER, exits], [], [])
        if exits in readable and (status := _reap(server, exits)) is not None:
            return status
        if HOLDER in readable:
            signals = os.read(HOLDER, 64)
            if not signals:
                return None
            for number in signals:
                os.kill(server, number)


def _reap(server: int, exits: int) -> int | None:
    """Collect every child that has left; the server's exit status if it is among them."""
    os.read(exits, 4096)
    found = None
    with contextlib.suppress(ChildProcessError):
        while (left := os.waitpid(-1, os.WNOHANG))[0]:
            if left[0] == server:
                code = os.waitstatus_to_exitcode(left[1])
                found = 128 - code if code < 0 else code
    return found


def _end(server: int, quit_signal: int, exits: int) -> None:
    os.kill(server, quit_signal)
    deadline = time.monotonic() + GRACE_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        if select.select([exits], [], [], left)[0] and _reap(server, exits) is not None:
            return
    os.kill(server, signal.SIGKILL)


def _sweep() -> None:
    """Kill and collect whatever the server left behind."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for child in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)


def _children() -> list[int]:
    listing = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(pid) for pid in listing.read_text().split()] if listing.exists() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]))
