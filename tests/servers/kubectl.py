"""Debian's `kubectl`, which renders Kustomize's folders without a cluster."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tests.servers.debian import unpacked

SECONDS: Final = 60


def rendered(folder: Path) -> list[dict[str, Any]]:
    """The objects of a folder, as `kubectl kustomize` writes them. Skips the test where it can't be had."""
    program = shutil.which("kubectl") or str(unpacked("kubernetes-client", "kubernetes-client") / "usr/bin/kubectl")
    done = subprocess.run(
        [program, "kustomize", str(folder)], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))
