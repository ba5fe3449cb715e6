"""The addresses of stores and objects, taken apart: `file:///absolute/folder` and `s3://bucket/prefix`. Pure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

S3_SCHEME: Final = "s3://"


def path_of(uri: str) -> Path | None:
    """The absolute path behind a `file:` address; None where it is none, or names another machine."""
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        return None
    return Path(os.path.normpath(unquote(uri.removeprefix("file://").removeprefix("localhost"))))


def bucket_and_prefix(uri: str) -> tuple[str, str] | None:
    """The bucket, and the rest without slashes at its ends; None where it is no S3 address. Nothing is decoded."""
    if not uri.startswith(S3_SCHEME):
        return None
    bucket, _, prefix = uri.removeprefix(S3_SCHEME).partition("/")
    return (bucket, prefix.strip("/")) if bucket else None


def public_address(base: str, key: str) -> str:
    """Where everybody can read the object of this key, in a store that is served under the address `base`."""
    return f"{base.rstrip('/')}/{quote(key)}"
