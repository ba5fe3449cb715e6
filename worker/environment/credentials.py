"""Settings as files: systemd's credentials, and the secrets that Docker and Kubernetes mount. One file a setting."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

FOLDER: Final = "CREDENTIALS_DIRECTORY"
"""The variable in which systemd passes the folder of a unit's credentials. Set it yourself for other mounts."""
MAX_BYTES: Final = 64 * 1024


class UnreadableError(Exception):
    """The folder, or a file of it that is named like a setting, cannot be read."""


def read(folder: str | None, names: Iterable[str]) -> dict[str, str]:
    """Return the settings that the folder has a file for, without white space at their ends; case does not count.

    Other files are not opened: the folder may hold other programs' secrets, such as a certificate's key.

    Raises:
        UnreadableError
    """
    if not folder:
        return {}
    wanted = set(names)
    try:
        files = {file.name.upper(): file for file in sorted(Path(folder).iterdir())}
        return {name: _value(files[name]) for name in files if name in wanted}
    except OSError as error:
        where = Path(error.filename or folder).name
        raise UnreadableError(f"can't be read ({where}: {error.strerror}); mend its permissions") from None


def _value(file: Path) -> str:
    with file.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UnreadableError(f"holds more than {MAX_BYTES:,} bytes in {file.name}, which is no setting's value")
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UnreadableError(f"holds something other than text in {file.name}") from None
