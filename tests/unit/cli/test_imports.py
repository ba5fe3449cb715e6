"""What starting the command costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("sqlalchemy", "celery", "boto3", "numpy", "soundfile", "starlette", "uvicorn", "structlog", "urllib3")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["voices"],
        ["voices", "--json"],
        ["--version"],
    ],
)
def test_the_list_of_commands_and_voices_import_nothing_heavy(arguments: list[str]) -> None:
    """`ttsq --help`, completion and `ttsq voices` load no library of the database, the broker or the store."""
    script = (
        "import json, sys\n"
        "from worker.cli.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit as ended:\n"
        "    assert not ended.code, ended.code\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_the_module_is_the_command() -> None:
    """`python -m worker.cli` does what `ttsq` does."""
    done = subprocess.run(
        [sys.executable, "-m", "worker.cli", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("ttsq ")


UNUSED_BY_A_RUN = (
    "alembic",
    "boto3",
    "botocore",
    "celery",
    "fastapi",
    "kombu",
    "mako",
    "numpy",
    "openpyxl",
    "prometheus_client",
    "redis",
    "soundfile",
    "worker.intake.xlsx",
    "worker.gateway",
    "worker.text.formats",
    "worker.text.lexicon",
    "worker.text.preparation",
    "worker.text.xml",
)


def test_a_run_imports_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    """With a current schema, `ttsq run` of a CSV loads no migrations, S3, web framework or workbook reader."""
    sheet = tmp_path / "one.csv"
    sheet.write_text("text\nHello there.\n")
    assert _imported(["run", str(sheet), "--rehearse"], tmp_path, ("alembic",)) == ["alembic"], "the first run migrates"
    assert _imported(["run", str(sheet), "--rehearse"], tmp_path, UNUSED_BY_A_RUN) == []


def _imported(arguments: list[str], folder: Path, names: tuple[str, ...]) -> list[str]:
    """The modules among `names` that a command has imported when it ends."""
    script = (
        "import atexit, json, sys\n"
        f"atexit.register(lambda: print(json.dumps([name for name in {names!r} if name in sys.modules])))\n"
        "from worker.cli.main import main\n"
        f"main({arguments!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60, cwd=folder
    )
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found
