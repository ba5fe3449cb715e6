"""The wheel holds the console's templates, style sheets and scripts, with the licences of others."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

from tests.distribution.building import Distributions
from worker.gateway.console import assets

PREFIX: Final = "worker/gateway/console"


def test_the_wheel_holds_every_file_of_the_console(distributions: Distributions) -> None:
    """As they are in the checkout."""
    files = [path for name in ("static", "templates", "vendor") for path in (assets.HERE / name).iterdir()]
    with zipfile.ZipFile(distributions.wheel) as wheel:
        for path in files:
            assert wheel.read(f"{PREFIX}/{Path(path).relative_to(assets.HERE)}") == path.read_bytes()
