"""systemd's notifications: a unit of `Type=notify` learns when its program works, and restarts it when it hangs.

One datagram a message to the socket that systemd names; the protocol is that of `sd_notify(3)`.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final

SOCKET: Final = "NOTIFY_SOCKET"
"""The variable in which systemd passes its socket."""
READY: Final = "READY=1"
ALIVE: Final = "WATCHDOG=1"
STOPPING: Final = "STOPPING=1"


class ServiceManager:
    """Without an address nothing is sent."""

    def __init__(self, address: str | None) -> None:
        """`address` is a path, or a name in Linux's abstract namespace after an `@`."""
        self._address: Final = "\0" + address[1:] if address and address.startswith("@") else address

    def notify(self, state: str) -> None:
        """Send one message. A full or absent socket loses it: the program's work does not depend on its supervisor."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0)
            sender.sendto(state.encode(), self._address)
