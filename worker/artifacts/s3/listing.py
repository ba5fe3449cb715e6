"""Which of many objects are in a bucket, by listing: one request for every thousand, instead of one for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PAGE_KEYS: Final = 1_000
"""What S3 returns at most for one request."""
SPARE_PAGES: Final = 50
FOREIGN_SHARE: Final = 4
"""A listing is given up after this number of unrelated objects for each of ours."""


@dataclass(slots=True)
class Listing:
    """What a listing has met of the keys that were asked for."""

    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes, by key."""
    is_complete: bool = False
    """Whether a key that isn't among them is certainly not there."""


def listed(client: S3Client, bucket: str, prefix: str, keys: Sequence[str]) -> Listing:
    """Look for the keys, which are relative to `prefix`, between the first and the last of them. Raises ClientError,
    BotoCoreError: as boto3 does.
    """
    wanted, found = set(keys), Listing()
    first, last = prefix + min(wanted), prefix + max(wanted)
    column_block = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    common = "".join(character for character, _ in column_block)
    before, token, in_order = first[:-1], "", True
    for _ in range(SPARE_PAGES + FOREIGN_SHARE * len(wanted) // PAGE_KEYS):
        where = {"ContinuationToken": token} if token else {"StartAfter": before}
        answer = client.list_objects_v2(Bucket=bucket, Prefix=common, **where)  # type: ignore[arg-type]
        for one in answer.get("Contents", ()):
            in_order, before = in_order and before <= one["Key"], one["Key"]
            if (name := one["Key"].removeprefix(prefix)) in wanted:
                found.sizes[name] = one["Size"]
        token = answer.get("NextContinuationToken", "")
        if not token or (in_order and before > last):
            found.is_complete = True
            break
    return found
