"""Style sheets and scripts: ours, and pinned releases of others with their licences. Served from memory."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from worker.gateway.problems import not_found

router = APIRouter(include_in_schema=False)

HERE: Final = Path(__file__).parent
FOLDERS: Final = (HERE / "static", HERE / "vendor")
TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".txt": "text/plain", ".svg": "image/svg+xml"}
FOREVER: Final = "public, max-age=31536000, immutable"
"""Addresses carry the content's checksum, so that a new version has a new one."""


@cache
def contents() -> dict[str, bytes]:
    """Every file by its name. Only these are served, so that a name cannot leave the folders."""
    files = (path for folder in FOLDERS for path in sorted(folder.iterdir()) if path.suffix in TYPES)
    return {path.name: path.read_bytes() for path in files}


@cache
def address(name: str) -> str:
    digest = hashlib.sha256(contents()[name]).hexdigest()[:12]
    return f"/console/assets/{digest}/{name}"


@router.get("/console/assets/{digest}/{name}")
async def get_asset(digest: str, name: str) -> Response:  # noqa: ARG001 - part of the address only
    content = contents().get(name)
    if content is None:
        raise not_found("file")
    media = TYPES[Path(name).suffix]
    return Response(content, headers={"cache-control": FOREVER}, media_type=media)
