"""Choosing ports on the loopback interface. A choice is a guess until the server has bound it: callers try again."""

from __future__ import annotations

import random
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"

PORTS: Final = range(20_000, 32_000)
"""Below the range from which kernels take the near ends of outgoing connections (Linux: 32768, macOS: 49152).

A server that is killed must find its port free when it comes back; a client's retry could otherwise be given that very
port as its own near end, and even connect to itself.
"""

_random: Final = random.SystemRandom()
"""Not the shared generator: test tools seed that one alike in every process, and all would choose the same ports."""


def free_port() -> int:
    """A port on which no process listens at this moment."""
    while True:
        port = _random.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
