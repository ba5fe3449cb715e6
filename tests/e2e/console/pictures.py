"""Makes the pictures of docs/console.md smaller: `python -m tests.e2e.console.pictures FOLDER`.

The tests write them: `CONSOLE_PICTURES=FOLDER pytest tests/e2e/console/test_browser.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from PIL import Image

DOCS: Final = Path(__file__).parents[3] / "docs/console"
HEIGHTS: Final = {
    "now-light-1440": 1_500,
    "now-dark-1440": 1_500,
    "jobs-light-1440": 1_000,
    "job-light-1440": 1_200,
    "try-light-1440": 900,
    "money-light-1440": 900,
    "batches-light-1440": 500,
    "batch-light-1440": 1_000,
    "operations-light-1440": 500,
    "operation-light-1440": 700,
    "webhooks-light-1440": 700,
    "delivery-light-1440": 800,
    "schedules-light-1440": 500,
    "keys-light-1440": 700,
    "login-light-1440": 600,
    "jobs-dark-360": 1_000,
}
"""Pixels that are kept of each, from the top."""
SCALE: Final = 0.75


def main(folder: Path) -> None:
    """Crop, scale and store each with a palette."""
    DOCS.mkdir(exist_ok=True)
    for name, height in HEIGHTS.items():
        whole = Image.open(folder / f"{name}.png").convert("RGB")
        top = whole.crop((0, 0, whole.width, min(height, whole.height)))
        if top.width > 1_000:
            top = top.resize((int(top.width * SCALE), int(top.height * SCALE)), Image.Resampling.LANCZOS)
        top.quantize(255, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            DOCS / f"{name}.png", optimize=True
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
