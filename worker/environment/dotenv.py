"""The `.env` file of the working directory, as it is written: pydantic reads the values, this page judges the file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dotenv import dotenv_values

FILE: Final = ".env"
ENCODING: Final = "utf-8-sig"
"""UTF-8, with or without the mark that some editors write first."""


class UnreadableError(Exception):
    """The file is there, and can't be read."""


def read() -> dict[str, str]:
    """Return the file's names, in upper case, and values; no reference in a value is replaced.

    Raises:
        UnreadableError
    """
    file = Path(FILE)
    try:
        if not file.is_file():
            return {}
        found = dotenv_values(file, encoding=ENCODING, interpolate=False)
    except UnicodeDecodeError:
        raise UnreadableError("is not UTF-8; save it in that encoding") from None
    except OSError as error:
        raise UnreadableError(f"can't be read ({error.strerror}); mend its permissions or remove it") from None
    return {name.upper(): value or "" for name, value in found.items()}


def refers(value: str) -> bool:
    """Whether a value contains a reference such as `${NAME}`."""
    return "${" in value
