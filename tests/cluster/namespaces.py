"""Workers on hosts of their own: a network namespace each, joined to its servers by one cable a service.

All cables end in a further namespace, in which the links listen; nothing of the machine's own network is touched. An
unplugged cable loses packets in silence, as a partition does. Needs root on Linux and the programs of iproute2 and
util-linux: see `available`.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.cluster.link import BACKLOG
from tests.servers.errors import ServerFailedError
from tests.servers.process import Account, Process

PROGRAMS: Final = ("ip", "nsenter", "unshare", "sleep")
CLONE_NEWNET: Final = 0x40000000
"""From linux/sched.h."""
NETWORK: Final = "10.211"
"""Addresses inside the namespaces; no packet with them ever leaves them."""
OWN: Final = Path("/proc/self/ns/net")
START_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.01
COMMAND_SECONDS: Final = 10.0
LIFE_SECONDS: Final = "86400"


def available() -> bool:
    """Whether this machine lets us make namespaces."""
    if os.geteuid() != 0 or not all(map(shutil.which, PROGRAMS)):
        return False
    trial = ["unshare", "--net", "ip", "link", "add", "name", "near0", "type", "veth", "peer", "name", "far0"]
    return subprocess.run(trial, capture_output=True, check=False, timeout=COMMAND_SECONDS).returncode == 0


class Namespace:
    """A network namespace, kept by a sleeping process that is guarded like every other."""

    def __init__(self, name: str, home: Path) -> None:
        """Make it; its own loopback is up."""
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=home))
        command = [_program("unshare"), "--net", _program("sleep"), LIFE_SECONDS]
        self._keeper = Process(name, command, folder, Account.own())
        self._path: Final = Path(f"/proc/{self._keeper.pid}/ns/net")
        self._await_own()
        self.ip("link", "set", "lo", "up")

    @property
    def pid(self) -> int:
        """A process inside."""
        return self._keeper.pid

    def command(self) -> list[str]:
        """What to put before a command that is to run inside."""
        return [_program("nsenter"), f"--net={self._path}", "--"]

    def ip(self, *words: str) -> None:
        """Run `ip` inside."""
        subprocess.run(
            [*self.command(), _program("ip"), *words], check=True, capture_output=True, timeout=COMMAND_SECONDS
        )

    def listen(self, address: str) -> socket.socket:
        """A socket that listens inside the namespace, on a free port, to be served from outside."""
        made: list[socket.socket] = []

        def enter_and_listen() -> None:
            # A thread changes its own namespace only, and this one ends with it.
            with self._path.open("rb") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                    return
            with suppress(OSError):
                made.append(socket.create_server((address, 0), backlog=BACKLOG))

        thread = threading.Thread(target=enter_and_listen)
        thread.start()
        thread.join()
        if not made:
            raise ServerFailedError("namespace", f"has no way to listen on {address}")
        return made[0]

    def close(self) -> None:
        """End it; its cables go with it."""
        self._keeper.end()

    def _await_own(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._path.readlink() == OWN.readlink():
            if time.monotonic() > deadline:
                raise ServerFailedError("namespace", "was not made in time", self._keeper.log)
            time.sleep(POLL_SECONDS)


class Cable:
    """One cable from a host's namespace to the one where the links listen."""

    def __init__(self, switch: Namespace, host: Namespace, number: int) -> None:
        """Lay the cable. `number` distinguishes it from all others."""
        self._switch: Final = switch
        self._end: Final = f"cable{number}"
        net = f"{NETWORK}.{number // 64}.{number % 64 * 4}"
        stem, last = net.rsplit(".", 1)
        self.address: Final = f"{stem}.{int(last) + 1}"
        """Where the host finds the service."""
        near = ("link", "add", "name", self._end, "type", "veth", "peer", "name", self._end, "netns", str(host.pid))
        switch.ip(*near)
        for namespace, address in ((switch, self.address), (host, f"{stem}.{int(last) + 2}")):
            namespace.ip("addr", "add", f"{address}/30", "dev", self._end)
            namespace.ip("link", "set", self._end, "up")

    def unplug(self) -> None:
        """From now on every packet is lost, in both directions."""
        self._switch.ip("link", "set", self._end, "down")

    def plug(self) -> None:
        """As before."""
        self._switch.ip("link", "set", self._end, "up")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ServerFailedError(name, "is not installed")
    return found
