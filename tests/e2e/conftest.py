"""Clusters for the end-to-end tests, on this test process's own servers, which are alive again after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.services import Services
from tests.cluster.shape import Shape, StoreKind
from tests.distribution.fixtures import (
    bare,
    distributions,
    image,
    installed,
    place,
    run_folder,
    traced,
)
from tests.servers.postgres import Postgres
from tests.servers.s3 import S3Server
from tests.servers.valkey import Valkey

__all__ = ["bare", "distributions", "image", "installed", "place", "run_folder", "traced"]

StartCluster = Callable[[Shape], Cluster]


@pytest.fixture
def start_cluster(request: pytest.FixtureRequest, valkey: Valkey, postgres: Postgres) -> Iterator[StartCluster]:
    """Starts clusters of any shape with a real S3, and ends them after the test."""
    with ExitStack() as stack:

        def start(shape: Shape) -> Cluster:
            s3: S3Server = request.getfixturevalue(shape.store.value)
            assert shape.store is not StoreKind.FOLDER
            return stack.enter_context(Cluster(shape, Services(valkey, postgres, s3)))

        try:
            yield start
        finally:
            for server in (valkey, postgres):
                if not server.process.alive:
                    server.restart()
