"""Makes the environments of the clients in `.tools/`: one for Python, and one for Node where it is installed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
FOLDER: Final = HERE.parents[1] / ".tools" / "clients"
PYTHON: Final = FOLDER / "python" / "bin" / "python"
PROXY: Final = FOLDER / "python" / "bin" / "litellm"
NODE_CLIENT: Final = FOLDER / "node" / "node_clients.mjs"


def is_ready() -> bool:
    """Whether `make clients` has made the environment of these very requirements."""
    stamp = FOLDER / "python" / "requirements.sha256"
    return stamp.exists() and stamp.read_text(encoding="ascii") == _digest()


def has_node() -> bool:
    """Whether the clients of Node are there too."""
    return NODE_CLIENT.exists()


def make() -> None:
    """Install what is missing."""
    if not is_ready():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER / "python")], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([str(PYTHON), *install, "-r", str(HERE / "requirements.txt")], check=True)
        (FOLDER / "python" / "requirements.sha256").write_text(_digest(), encoding="ascii")
    if shutil.which("npm") is None:
        print("npm is not installed: the clients of Node are left out")
        return
    (FOLDER / "node").mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", NODE_CLIENT.name):
        shutil.copy(HERE / name, FOLDER / "node" / name)
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=FOLDER / "node", check=True)


def _digest() -> str:
    return hashlib.sha256((HERE / "requirements.txt").read_bytes()).hexdigest()


if __name__ == "__main__":
    make()
