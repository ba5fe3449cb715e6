"""The wheel and the source distribution, built once for all test processes of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.distribution.uv import ROOT, alone, uv


@dataclass(frozen=True, slots=True)
class Distributions:
    """Where they are."""

    wheel: Path
    """Built from the source distribution, as an index's users get it."""
    sdist: Path
    direct_wheel: Path
    """Built from the checkout, as `pip install .` does."""


def build(folder: Path) -> Distributions:
    """Build all three below `folder`, unless another process of this run has."""
    with alone(folder):
        if not folder.exists():
            fresh = folder.with_name(f"{folder.name}.part")
            uv("build", "--quiet", "--out-dir", str(fresh / "released"), str(ROOT))
            uv("build", "--quiet", "--wheel", "--out-dir", str(fresh / "direct"), str(ROOT))
            fresh.rename(folder)
    (wheel,), (sdist,) = folder.glob("released/*.whl"), folder.glob("released/*.tar.gz")
    (direct,) = folder.glob("direct/*.whl")
    return Distributions(wheel, sdist, direct)
