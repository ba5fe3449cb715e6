"""What a folder can't say about its files: content type and metadata, kept beside them in small JSON files.

A sidecar is named after the key and the checksum of the very content that it describes. So a sidecar and an audio
file of two writers never pass for a pair, no lock is needed, and a file that was edited by hand has none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The description of one version of one object."""

    content_type: str
    metadata: Mapping[str, str]

    @staticmethod
    def path(folder: Path, key: str, sha256: str) -> Path:
        """Where the sidecar for this content of this key lies; a part of the checksum is enough to tell takes apart."""
        return folder / f"{key}.{sha256[:16]}.json"

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The sidecar in this file; None where there is none that can be read."""
        try:
            fields = json.loads(path.read_bytes())
            return cls(str(fields["content_type"]), {str(name): str(text) for name, text in fields["metadata"].items()})
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, path: Path) -> None:
        """Write the whole description to a file that nobody else writes to."""
        fields = {"content_type": self.content_type, "metadata": dict(self.metadata)}
        path.write_text(json.dumps(fields, ensure_ascii=False), encoding="utf-8")
