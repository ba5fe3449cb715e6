"""How much of a heavy test is run: a part of it by `make test`, all of it where THOROUGH is set (`make proof`)."""

from __future__ import annotations

import os
from typing import Final, TypeVar

THOROUGH: Final = bool(os.environ.get("THOROUGH"))

T = TypeVar("T")


def thorough(full: T, part: T) -> T:
    """`full` for `make proof`, `part` for `make test`."""
    return full if THOROUGH else part
