"""`python -m tests.site FOLDER`: build the site there; exit status 1 with the warnings, if there are any."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.site.build import build

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        found = build(folder.absolute(), Path(scratch) / "sources")
    for line in found:
        print(line, file=sys.stderr)
    print(f"{folder / 'index.html'}")
    sys.exit(1 if found else 0)
