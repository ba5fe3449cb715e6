"""The image, built without Docker by the Dockerfile's own steps: its worker starts, and its health check passes."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest

from tests.cluster.services import Place
from tests.cluster.waiting import wait_for
from tests.distribution import dockerfile
from tests.distribution.image import DOCKERFILE, Image
from tests.distribution.installation import pinned
from tests.distribution.interpreters import RUNNING, interpreter
from tests.distribution.running import KEY, WORKS, started

STALE_SECONDS: Final = 61
HEALTHY, UNHEALTHY = 0, 1
"""The only exit statuses that Docker defines."""

pytestmark = pytest.mark.timeout(400)


def healthy(image: Image, **environment: str) -> int:
    """The exit status of the image's health check, run as Docker runs it."""
    done = subprocess.run(
        image.command("HEALTHCHECK"),
        cwd=image.folder,
        env=image.environment | environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode


@pytest.fixture
def alive(image: Image, tmp_path: Path) -> Path:
    """The file that a worker touches, in a place of this test; the image's own is in its /tmp."""
    own = Path(image.environment["TTSQ_ALIVE_FILE"])
    assert own.parent == image.root / "tmp"
    return tmp_path / own.name


def test_a_worker_that_beats_is_healthy(image: Image, alive: Path) -> None:
    """Its file is fresh."""
    alive.touch()
    assert healthy(image, TTSQ_ALIVE_FILE=str(alive)) == HEALTHY


@pytest.mark.parametrize("seconds", [-STALE_SECONDS, 3_600], ids=["long ago", "before the clock was set back"])
def test_a_worker_that_stopped_beating_is_not(image: Image, alive: Path, seconds: int) -> None:
    """Its file is old, or from a time that hasn't come yet."""
    alive.touch()
    at = time.time() + seconds
    os.utime(alive, (at, at))
    assert healthy(image, TTSQ_ALIVE_FILE=str(alive)) == UNHEALTHY


def test_a_worker_that_never_beat_is_not(image: Image, alive: Path) -> None:
    """There is no file yet."""
    assert healthy(image, TTSQ_ALIVE_FILE=str(alive)) == UNHEALTHY


def test_nothing_in_the_working_folder_disturbs_the_check(image: Image, alive: Path, tmp_path: Path) -> None:
    """A file there that is named like a module, and Python's own variables."""
    alive.touch()
    (tmp_path / "time.py").write_text("raise SystemExit(3)\n", encoding="ascii")
    assert healthy(image, TTSQ_ALIVE_FILE=str(alive), PYTHONPATH=str(tmp_path)) == HEALTHY


def test_the_image_runs_as_a_user_of_its_own(image: Image) -> None:
    """The one that is made in the same stage, who owns the volume and starts in its home."""
    user = image.stage.last("USER").text
    volume = image.stage.last("VOLUME").text
    assert [call for call in image.did if call.startswith("useradd") and call.endswith(f" {user}")]
    assert f"chown {user} {image.root}{volume}" in image.did
    assert image.folder == image.root / "home" / user
    assert image.environment["TTSQ_SPOOL_DIR"] == f"{image.root}{volume}"


def test_the_images_worker_starts_beats_and_leaves(image: Image, tmp_path: Path, place: Place) -> None:
    """CMD, with nothing but the settings of the services; the health check sees it while it lives."""
    alive = tmp_path / "alive"
    own = {"SEGMIND_API_KEY": KEY, "SEGMIND_BASE_URL": "http://127.0.0.1:9", "TTSQ_ALIVE_FILE": str(alive)}
    settings = {**place.environment(), **own, "TTSQ_SPOOL_DIR": str(tmp_path / "spool")}
    migrated = image.installation.run(tmp_path, "ttsq", "migrate", settings=settings)
    assert migrated.returncode == 0, migrated.stderr
    words = image.command("CMD")
    with started(image.installation, tmp_path / "worker", WORKS, *words, settings=settings) as worker:
        wait_for(
            lambda: healthy(image, TTSQ_ALIVE_FILE=str(alive)) == HEALTHY,
            seconds=60,
            what="a healthy worker",
            instead=lambda: worker.log,
        )


def test_the_image_has_every_extra(image: Image, tmp_path: Path) -> None:
    """Traces work in it."""
    wanted = "import opentelemetry.exporter.otlp.proto.http.trace_exporter"
    done = image.installation.run(tmp_path, "python", "-c", wanted)
    assert done.returncode == 0, done.stderr


def test_the_image_is_made_of_the_pinned_versions(image: Image, tmp_path: Path) -> None:
    """Each is in requirements.txt, which the tests run with."""
    listing = "from importlib.metadata import distributions as all"
    done = image.installation.run(tmp_path, "python", "-c", f"{listing}; [print(d.name, d.version) for d in all()]")
    pins = pinned().lower()
    for name, version in (line.lower().replace("_", "-").split() for line in done.stdout.splitlines()):
        assert name == "ttsq" or f"{name}=={version}" in pins, (name, version)


def test_the_image_has_the_python_that_it_is_made_from(image: Image, tmp_path: Path) -> None:
    """Both stages name the same one, or the environment that is copied would not find its interpreter."""
    bases = {stage.base for stage in dockerfile.stages(DOCKERFILE.read_text(encoding="utf-8"))}
    assert len(bases) == 1
    version = bases.pop().removeprefix("python:").removesuffix("-slim")
    done = image.installation.run(tmp_path, "python", "--version")
    assert done.stdout.startswith(f"Python {version if interpreter(version) else RUNNING}."), done.stdout
