"""Error messages of failed exchanges."""

from __future__ import annotations


def reason(error: BaseException) -> str:
    """The cause below HTTP, in the operating system's words if it has any."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return getattr(seen, "verify_message", "") or seen.strerror
        nested = next((part for part in seen.args if isinstance(part, BaseException)), None)
        if nested is None and seen.__cause__ is None and str(seen):
            return str(seen)
        seen = nested or seen.__cause__
    return type(error).__name__
