"""`python -m tests.chaos [PART] [--seed N] [--minutes M] [--api v1|v2]`: hurt a real cluster, and judge what it did."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from typing import Final

from tests.chaos import cycles, mix, outages, partitions

PARTS: Final = {
    "mix": "everything at random, by a seeded plan",
    "cycles": "a hundred SIGKILLs over workers and dispatcher, Redis flushed in every tenth",
    "outages": "an outage of each service alone, with default settings; takes about six minutes",
    "partitions": "one worker at a time loses one service after another; takes about six minutes",
}
MINUTES: Final = {"mix": 2.0, "cycles": 6.5}
MAX_SEED: Final = 1_000_000


def main(words: Sequence[str]) -> int:
    """0 where nothing was broken, 1 where something was."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="; ".join(f"{name}: {what}" for name, what in PARTS.items()),
    )
    parser.add_argument("part", nargs="?", default="mix", choices=tuple(PARTS))
    parser.add_argument("--seed", type=int, default=random.randrange(MAX_SEED), help="repeats a plan")
    parser.add_argument("--minutes", type=float, help="how long to disturb (mix, cycles)")
    parser.add_argument("--api", choices=("v1", "v2"), default="v1", help="how the workers call the API")
    chosen = parser.parse_args(words)
    if chosen.minutes is not None and chosen.part not in MINUTES:
        parser.error(f"{chosen.part} takes the time that it takes")
    began = time.monotonic()
    well = _run(chosen)
    print(f"{'nothing was broken' if well else 'PROMISES WERE BROKEN'}; {time.monotonic() - began:.0f} s in all")
    return 0 if well else 1


def _run(chosen: argparse.Namespace) -> bool:
    minutes = chosen.minutes or MINUTES.get(chosen.part, 0.0)
    match chosen.part:
        case "mix":
            return mix.run(seed=chosen.seed, minutes=minutes, api=chosen.api)
        case "cycles":
            return cycles.run(seed=chosen.seed, minutes=minutes, api=chosen.api)
        case "partitions":
            return partitions.run(seed=chosen.seed, api=chosen.api)
        case _:
            return outages.run(seed=chosen.seed, api=chosen.api)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
