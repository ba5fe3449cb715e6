"""Workers behind PgBouncer, in a schema of the address's search path, and an API behind an HTTP proxy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from api_models.status import JobStatus
from tests.cluster.cluster import Cluster
from tests.cluster.services import Services
from tests.cluster.shape import Shape
from tests.servers.moto import Moto
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres
from tests.servers.proxy import Proxy
from tests.servers.valkey import Valkey
from worker.store.database import Database

TEXTS = [f"Announcement number {number} for platform two." for number in range(60)]
SCHEMA = "speech"
PASSWORD = "correct-horse"


class Pooled(Postgres):
    """A server that is reached through a pooler, by addresses that name a schema."""

    def __init__(self, server: Postgres, pooler: PgBouncer) -> None:
        super().__init__()
        self._server = server
        self._pooler = pooler

    def has_database(self, name: str) -> bool:  # noqa: ARG002 - see below
        return True

    def create_database(self, name: str, *, template: str = "template0") -> str:  # noqa: ARG002 - see below
        """Whatever the template: its tables would be in another schema than these are migrated into."""
        direct = Database(self._server.create_database(name), connections=1)
        with direct.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        direct.close()
        return self._pooler.url(name, f"?options=-csearch_path%3D{SCHEMA}")

    def drop_database(self, name: str) -> None:
        self._server.drop_database(name)


@contextmanager
def cluster_behind(
    mode: str, proxy: Proxy, valkey: Valkey, postgres: Postgres, moto: Moto, **settings: str
) -> Iterator[Cluster]:
    """Two workers whose database and API are reached so."""
    # The environment exempts this machine from proxies; here the store alone is exempt.
    exempt = {"NO_PROXY": f"127.0.0.1:{moto.port}", "no_proxy": f"127.0.0.1:{moto.port}"}
    shape = Shape(settings={**exempt, **settings})
    with PgBouncer(postgres, mode) as pooler, proxy:
        services = Services(valkey, Pooled(postgres, pooler), moto)
        with Cluster(shape, services) as cluster:
            yield cluster


@pytest.mark.parametrize("mode", ["session", "transaction"])
@pytest.mark.parametrize("password", [None, PASSWORD], ids=["open", "password"])
def test_a_run_completes_through_a_pooler_and_a_proxy(
    valkey: Valkey, postgres: Postgres, moto: Moto, mode: str, password: str | None
) -> None:
    """Sixty texts, in either mode of the pooler; every call goes through the proxy, whose password is in no log."""
    proxy = Proxy(password)
    address = proxy.address.replace("://", f"://robot:{password}@") if password else proxy.address
    with cluster_behind(mode, proxy, valkey, postgres, moto, HTTP_PROXY=address, http_proxy=address) as cluster:
        batch = cluster.submit(TEXTS)
        counts = cluster.wait_until_done(batch)
        with cluster.database.read() as connection:
            tables = connection.execute(text("SELECT schemaname FROM pg_tables WHERE tablename = 'jobs'")).scalars()
            assert list(tables) == [SCHEMA]
        logs = "".join(worker.log for worker in cluster.workers)
    assert counts.by_status == {JobStatus.SUCCEEDED: len(TEXTS)}
    assert proxy.refused == 0
    assert proxy.asked
    assert all(first.startswith(("POST http://", "GET http://")) for first in proxy.asked)
    assert PASSWORD not in logs
