"""What a bucket is asked to do with every object: a storage class, encryption, tags. A folder does none of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

TAGGED: Final = {"tenant": "ttsq-tenant", "batch": "ttsq-batch"}
"""The names of tags, and the metadata that they repeat: rules of a bucket go by tags, and can't see metadata."""
MAX_TAG_CHARACTERS: Final = 256
_UNTAGGABLE: Final = re.compile(r"[^\w +\-=.:/@]")


@dataclass(frozen=True, slots=True)
class StoreOptions:
    storage_class: str | None = None
    """Such as STANDARD_IA; None: the bucket's own."""
    encryption: str | None = None
    """AES256 or aws:kms; None: as the bucket has it."""
    kms_key: str | None = None
    """The key that aws:kms encrypts with; None: the account's own."""
    tags: bool = False
    """Whether objects are tagged with their tenant and batch. Not every S3 knows tags."""

    def asked(self, metadata: Mapping[str, str]) -> dict[str, Any]:
        """As boto3's calls take it, for an object with this metadata."""
        named = {
            "StorageClass": self.storage_class,
            "ServerSideEncryption": self.encryption,
            "SSEKMSKeyId": self.kms_key,
            "Tagging": (_tags(metadata) or None) if self.tags else None,
        }
        return {name: value for name, value in named.items() if value is not None}


NO_OPTIONS: Final = StoreOptions()


def _tags(metadata: Mapping[str, str]) -> str:
    """As the header has them; what a tag can't hold becomes an underscore."""
    found = {tag: metadata.get(name) for tag, name in TAGGED.items()}
    return urlencode({tag: _UNTAGGABLE.sub("_", text)[:MAX_TAG_CHARACTERS] for tag, text in found.items() if text})
