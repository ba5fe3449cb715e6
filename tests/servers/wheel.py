"""Finding the files of an installed package without importing it: two of these packages act at import."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from tests.servers.errors import ServerMissingError


def folder_of(module: str, package: str) -> Path:
    """The folder of an installed top-level module.

    Raises:
        ServerMissingError: `package`, which brings it, is not installed.
    """
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise ServerMissingError(package, module)
    return Path(spec.submodule_search_locations[0])


def program_in(folder: Path, pattern: str, package: str) -> Path:
    """The one file below `folder` that matches `pattern`.

    Raises:
        ServerMissingError: there is none.
    """
    found = sorted(folder.glob(pattern))
    if not found:
        raise ServerMissingError(package, str(folder / pattern))
    return found[0]
