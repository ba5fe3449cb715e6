"""All workers killed while documents are spoken and joined: a short form of `tests.cluster.document_kills`."""

from __future__ import annotations

from typing import Final

from tests.cluster.document_kills import killed_documents, shape
from tests.e2e.conftest import StartCluster

CYCLES: Final = 4
SCRIPTS: Final = 2


def test_documents_survive_kills(start_cluster: StartCluster) -> None:
    """One recording each, whole; over v2 every call has a handle, so that nothing is bought twice."""
    cluster = start_cluster(shape())
    toll = killed_documents(cluster, CYCLES)
    assert (toll.cycles, toll.faults) == (CYCLES, [])
    toll = killed_documents(cluster, SCRIPTS, scripts=True)
    assert (toll.cycles, toll.faults) == (SCRIPTS, [])
