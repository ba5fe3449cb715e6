"""Submit many lines as one batch and watch its progress.

    python examples/bulk_script.py

Some worker must run on the same settings, such as `ttsq serve --all-in-one`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from sqlalchemy import create_engine

from api_models.speech import JobRequest
from worker.producer import enqueue_many, watch

PLATFORMS = 12


def announcements() -> Iterator[JobRequest]:
    """One line a platform. It is a generator: a million of them would take no more memory."""
    for platform in range(1, PLATFORMS + 1):
        yield JobRequest(
            text=f"The next train from platform {platform} goes to the harbour.",
            voice_1="Kore",
            custom_id=f"platform-{platform:02}",
            tags=("station",),
        )


def main() -> None:
    """All of it or nothing: the batch exists when the block ends well."""
    engine = create_engine(os.environ.get("TTSQ_DATABASE_URL", "sqlite:///.ttsq/ttsq.db"))
    with engine.begin() as connection:
        batch = enqueue_many(connection, announcements(), name="announcements")
    for counts in watch(batch, timeout_seconds=600, engine=engine):
        print(", ".join(f"{number} {status}" for status, number in counts.by_status.items()))
    print(f"spent ${counts.cost}")


if __name__ == "__main__":
    main()
