"""What a folder can't say about its files: content type and metadata, kept beside them in small JSON files.

A sidecar is named after the key and the checksum of the very content that it describes. So a sidecar and an audio
file of two writers never pass for a pair, no lock is needed, and a file that was edited by hand has none.

One folder may be reached by several paths, and stores may lie in one another. Sidecars therefore go by the real path
(`realpath`) of their file and are looked for in each folder above it; the newest describes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from worker.artifacts.keys import OWN_FOLDER

FOLDER: Final = "sidecars"
"""Below a store's own folder."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    content_type: str
    metadata: Mapping[str, str]

    @staticmethod
    def path(folder: Path, key: str, sha256: str) -> Path:
        """Where the sidecar for this content of this key lies; a part of the checksum is enough to tell takes apart."""
        return folder / f"{key}.{sha256[:16]}.json"

    @classmethod
    def find(cls, file: Path, sha256: str) -> Self | None:
        """What any store around this file says of its content. `file` has no links among its folders."""
        found: list[tuple[int, Self]] = []
        for folder in file.parents:
            path = cls.path(folder / OWN_FOLDER / FOLDER, file.relative_to(folder).as_posix(), sha256)
            if (one := cls.read(path)) is not None:
                found.append((path.stat().st_mtime_ns, one))
        return max(found, key=lambda one: one[0])[1] if found else None

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The sidecar in this file; None where there is none that can be read."""
        try:
            fields = json.loads(path.read_bytes())
            return cls(str(fields["content_type"]), {str(name): str(text) for name, text in fields["metadata"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, path: Path) -> None:
        """Write the whole description to a file of its own, which no other process writes."""
        fields = {"content_type": self.content_type, "metadata": dict(self.metadata)}
        path.write_text(json.dumps(fields, ensure_ascii=False), encoding="utf-8")
