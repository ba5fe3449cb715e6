"""Whose file is whose, in whatever order Hypothesis thinks of: batches that share, nest and link their folders and
prefixes of a bucket, edits, late and damaged takes, cancellations, purges, prunes, copies, downloads, and a user who
has files and objects of his own there.

After each step nothing of the user's has changed, no name holds an older job's audio where a later one's belongs, and
every job's audio can be read by its checksum. `OWNERSHIP_MACHINE_EXAMPLES=5000` makes a long run, at random instead of
the same every time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.integration.artifacts.ground import Bucketful
from tests.integration.artifacts.ownership_histories import OwnershipHistories
from tests.servers.moto import Moto

EXAMPLES: Final = int(os.environ.get("OWNERSHIP_MACHINE_EXAMPLES", "0"))
STEPS: Final = 25


@pytest.fixture
def bucketful(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucketful]:
    """A bucket of the quick S3."""
    bucket = moto.create_bucket(f"owner-{uuid4().hex}")
    for name, value in bucket.environment().items():
        monkeypatch.setenv(name, value)
    found = Bucketful.of(bucket)
    yield found
    found.close()


@pytest.mark.timeout(0 if EXAMPLES else 240)
def test_no_history_loses_a_file(migrated_file: Path, bucketful: Bucketful) -> None:
    """A few dozen histories; always the same, unless a long run is asked for."""
    run_state_machine_as_test(
        lambda: OwnershipHistories(migrated_file, bucketful),  # type: ignore[arg-type]  # it only calls what it is given
        settings=settings(
            max_examples=EXAMPLES or 30,
            stateful_step_count=STEPS,
            deadline=None,
            phases=[Phase.generate] if EXAMPLES else [Phase.generate, Phase.shrink],
            derandomize=not EXAMPLES,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
