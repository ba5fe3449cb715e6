"""The first command of the README: `make demo`, from the project's files alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = (
    *("Makefile", "LICENSE", "README.md", "pyproject.toml", "hatch_build.py"),
    *("requirements.txt", "requirements-runtime.txt"),
)
FOLDERS = ("api_models", "examples", "migrations", "worker")


@pytest.mark.timeout(300)
def test_the_demo_runs_in_an_environment_of_its_own(tmp_path: Path) -> None:
    """It installs what a run needs, the product included, and speaks every line of the sample."""
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    if (ROOT / ".tools").exists():
        (tmp_path / ".tools").symlink_to(ROOT / ".tools")
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TTSQ_", "SEGMIND_"))}
    cache = {"UV_CACHE_DIR": environment.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))}
    done = subprocess.run(
        ["make", "demo"],
        cwd=tmp_path,
        env=environment | cache | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "audio" / "welcome").glob("*.wav"))) == 44
    assert subprocess.run([tmp_path / ".venv-demo/bin/ttsq", "--version"], check=True, capture_output=True).stdout
