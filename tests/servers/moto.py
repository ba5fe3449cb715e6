"""moto's S3 server. It accepts any signature and any checksum: it must never be the only S3 in a test of either."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.servers.ports import LOOPBACK
from tests.servers.s3 import S3Server


class Moto(S3Server):
    """A moto server in a process of its own; its buckets are in memory and gone after `kill` or `restart`."""

    name = "moto"
    ready_line = "Running on http://"

    def command(self) -> Sequence[str]:
        """moto's own server module, without the working directory on the import path."""
        return [sys.executable, "-I", "-W", "ignore", "-m", "moto.server", "-H", LOOPBACK, "-p", str(self.port)]
