"""The units of `deploy/systemd`: systemd takes them, they name settings that exist, and give a program little."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from worker import settings
from worker.dispatch.housekeeping import HEARTBEAT_LAPSE_SECONDS
from worker.gateway.server import ALIVE_SECONDS
from worker.process.shutdown import SIGN_OFF_SECONDS
from worker.settings import Settings

UNITS: Final = sorted((Path(__file__).parents[3] / "deploy/systemd").glob("*.service"))
EXPOSURE: Final = 2.0
"""Of 10, as `systemd-analyze security` counts; below 2 it says "OK"."""


def lines(unit: Path, name: str) -> list[str]:
    """The values of one option."""
    return re.findall(rf"^{name}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)


def analyze(unit: Path, folder: Path, *command: str) -> str:
    """What systemd says of the unit. Its program need not be installed here."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine")
    here = folder / unit.name
    here.write_text(unit.read_text(encoding="utf-8").replace("/opt/ttsq/bin/ttsq", shutil.which("true") or ""))
    words = ["systemd-analyze", *command, str(here)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_there_are_three() -> None:
    """Else the tests below would pass on nothing."""
    assert [unit.name for unit in UNITS] == ["ttsq-gateway.service", "ttsq-migrate.service", "ttsq-worker@.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_it(unit: Path, tmp_path: Path) -> None:
    """Without a warning about the unit."""
    assert unit.name not in analyze(unit, tmp_path, "verify")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_it_may_do_little(unit: Path, tmp_path: Path) -> None:
    """By systemd's own measure."""
    said = analyze(unit, tmp_path, "security", "--offline=true", "--no-pager")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    if found is None and "offline" in said:
        pytest.skip("this systemd judges installed units only")
    assert found, said
    assert float(found[1]) < EXPOSURE


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_it_sets_are_settings(unit: Path) -> None:
    """Names of credentials included; what is secret is a credential and no variable."""
    credentials = {value.partition(":")[0] for value in lines(unit, "LoadCredential")}
    variables = {value.partition("=")[0] for value in lines(unit, "Environment")}
    assert credentials - {"aws"} <= set(settings.names())
    assert variables - {"AWS_SHARED_CREDENTIALS_FILE"} <= set(settings.names())
    assert ("aws" in credentials) == ("AWS_SHARED_CREDENTIALS_FILE" in variables)
    assert not variables & {"SEGMIND_API_KEY", "TTSQ_DATABASE_URL", "TTSQ_BROKER_URL"}


def test_its_times_fit_the_programs() -> None:
    """Calls that are being paid for are not cut off, and no slow heartbeat is taken for a dead worker."""
    worker, gateway = UNITS[2], UNITS[0]
    grace = Settings.model_fields["grace_seconds"].default
    assert int(lines(worker, "TimeoutStopSec")[0]) > grace + SIGN_OFF_SECONDS
    assert int(lines(worker, "WatchdogSec")[0]) > 2 * HEARTBEAT_LAPSE_SECONDS
    assert int(lines(gateway, "WatchdogSec")[0]) > 2 * ALIVE_SECONDS
