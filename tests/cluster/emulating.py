"""The program of an emulator process. Called as `emulating.py CONFIG`, a scenario as JSON; it prints its address."""

from __future__ import annotations

import sys
from typing import Final

from worker.emulator.config import EmulatorConfig
from worker.emulator.server import serve

READY: Final = "Emulator at "


def main(config: str) -> None:
    """Serve until ended."""
    serve(EmulatorConfig.model_validate_json(config), lambda url: print(f"{READY}{url}", flush=True))


if __name__ == "__main__":
    main(sys.argv[1])
