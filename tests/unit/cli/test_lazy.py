"""The command table says what the commands say of themselves, and importing it imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

from worker.cli.lazy import Entry, load
from worker.cli.main import COMMANDS


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_the_table_shows_the_first_line_of_each_command(entry: Entry) -> None:
    """`ttsq --help` and `ttsq NAME --help` agree."""
    assert (load(entry).help or "").split("\n")[0] == entry.summary


def test_the_root_help_imports_no_database_no_broker_and_no_store() -> None:
    """`ttsq --help` is instant because it imports none of the libraries that commands use."""
    heavy = ("sqlalchemy", "celery", "boto3", "numpy")
    probe = f"import sys; import worker.cli.main; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
