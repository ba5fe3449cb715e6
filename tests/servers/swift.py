"""OpenStack Swift behind its S3 interface: a strict S3 that refuses wrong secrets, tampered URLs and bad checksums."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.servers.errors import ServerFailedError
from tests.servers.s3 import S3Server

CLUSTER: Final = Path(__file__).with_name("cluster.py")


class Swift(S3Server):
    """A one-disk Swift cluster in one process. Objects survive `kill`. It knows neither If-Match nor tagging."""

    name = "swift"
    ready_line = "Swift is ready"

    def command(self) -> Sequence[str]:
        """The cluster's program; isolated, for this folder's modules have the names of packages it imports."""
        program = [sys.executable, "-I", "-W", "ignore", str(CLUSTER)]
        return [*program, str(self.folder), str(self.port), self.access_key, self.secret_key]

    def home(self) -> Path:
        """A temporary folder whose file system keeps extended attributes, where Swift puts what it knows of an object.

        Raises:
            ServerFailedError: there is none.
        """
        candidates = [Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/dev/shm")]
        for folder in candidates:
            if _keeps_attributes(folder):
                return folder
        tried = ", ".join(map(str, candidates))
        raise ServerFailedError(self.name, f"needs user extended attributes; none of {tried} has them: set TMPDIR")


def _keeps_attributes(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            os.setxattr(probe.fileno(), "user.ttsq", b"1")  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return False
    return True
