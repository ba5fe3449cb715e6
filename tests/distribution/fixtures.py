"""What is built and installed, once for all test processes of a run. Taken over by `tests/e2e/conftest.py`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.services import Place, Services, new_place
from tests.distribution import image as image_steps
from tests.distribution.building import Distributions, build
from tests.distribution.image import Image
from tests.distribution.installation import Installation, install
from tests.distribution.interpreters import RUNNING, interpreter, tried
from tests.servers.moto import Moto
from tests.servers.postgres import Postgres
from tests.servers.valkey import Valkey


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all test processes of this run share; on a disk, where environments are links to uv's cache."""
    own = tmp_path_factory.getbasetemp()
    run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = distribution_folder(run)
    folder.mkdir(exist_ok=True)
    return folder


def distribution_folder(run: Path) -> Path:
    """Where the run with this temporary folder installs; removed at its end."""
    return Path(tempfile.gettempdir()) / f"ttsq-distribution-{run.name}"


@pytest.fixture(scope="session")
def distributions(run_folder: Path) -> Distributions:
    """The wheel and the source distribution of this checkout."""
    return build(run_folder / "dist")


@pytest.fixture
def place(tmp_path: Path, valkey: Valkey, postgres: Postgres, moto: Moto) -> Iterator[Place]:
    """An empty database of PostgreSQL, an empty Redis and an empty bucket."""
    with new_place(Services(valkey, postgres, moto), tmp_path) as made:
        yield made


@pytest.fixture(params=tried())
def installed(request: pytest.FixtureRequest, run_folder: Path, distributions: Distributions) -> Installation:
    """The wheel without extras, on the Pythons to be tried."""
    python = interpreter(request.param)
    if python is None:
        pytest.skip(f"there is no Python {request.param} here")
    return install(run_folder / f"wheel-{request.param}", python, distributions.wheel, ())


@pytest.fixture
def bare(run_folder: Path, distributions: Distributions) -> Installation:
    """The wheel without extras, on the Python that runs the tests."""
    return install(run_folder / f"wheel-{RUNNING}", _running(), distributions.wheel, ())


@pytest.fixture
def traced(run_folder: Path, distributions: Distributions) -> Installation:
    """The wheel with `[otel]`, and with `[xlsx]`, which is empty, on the Python that runs the tests."""
    return install(run_folder / "otel", _running(), distributions.wheel, ("otel", "xlsx"))


@pytest.fixture(scope="session")
def image(run_folder: Path) -> Image:
    """The image, by the steps of the Dockerfile."""
    return image_steps.build(run_folder / "image")


def _running() -> Path:
    python = interpreter(RUNNING)
    assert python is not None
    return python
