"""The blocks of docs/first-run.md and the check of docs/models.md, run as they stand, one after the other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.site.build import DOCS
from tests.unit.models.models_files import EXAMPLE

SECONDS: Final = 100
BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.timeout(200)


def test_the_first_run_works_as_it_is_written(tmp_path: Path) -> None:
    """In one shell, with an empty home, no key and no server."""
    text = (DOCS / "first-run.md").read_text(encoding="utf-8")
    script = "set -eu\n" + "\n".join(block for language, block in BLOCK.findall(text) if language == "bash")
    (tmp_path / "models.toml").write_text(EXAMPLE, encoding="utf-8")
    models = (DOCS / "models.md").read_text(encoding="utf-8")
    script += "\n".join(block for _, block in BLOCK.findall(models) if "ttsq models check" in block)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "rehearsal").glob("*.wav"))) == 2
    assert {path.name for path in (tmp_path / "sheet").glob("*.mp3")} == {"hello.mp3", "ferry.mp3"}
    assert "no errors: acme-voice" in done.stdout
