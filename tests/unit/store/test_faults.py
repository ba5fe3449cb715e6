"""What an error of the database says to people."""

from __future__ import annotations

import pytest
from psycopg import errors
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from worker.store.errors import describe, is_busy

REFUSED = errors.OperationalError(
    'connection to server at "10.0.0.9", port 5432 failed: Connection refused\n\tIs the …'
)
SPOKEN = {
    "read-only": (errors.ReadOnlySqlTransaction("cannot execute UPDATE"), "read-only: a failover"),
    "no more connections": (errors.OperationalError("FATAL:  sorry, too many clients already"), "max_connections"),
    "starting": (errors.OperationalError("FATAL:  the database system is starting up"), "is starting"),
    "stopping": (errors.AdminShutdown("terminating connection due to administrator command"), "shutting down"),
    "a lock": (errors.LockNotAvailable("canceling statement due to lock timeout"), "holds a row"),
    "serialization": (errors.SerializationFailure("could not serialize access"), "another one had changed"),
    "its disk": (errors.DiskFull("could not extend file"), "disk is full"),
    "a wrong password": (
        errors.OperationalError("FATAL:  password authentication failed for user"),
        "refuses the user",
    ),
    "refused": (REFUSED, "can't be reached: connection to server"),
    "a bug": (errors.UndefinedColumn('column "colour" does not exist'), 'can\'t be used: column "colour"'),
}


@pytest.mark.parametrize("name", SPOKEN)
def test_each_error_has_one_line(name: str) -> None:
    """Whether SQLAlchemy has wrapped it or not; never its pages of background."""
    error, said = SPOKEN[name]
    for met in (error, DBAPIError("SELECT 1", {}, error)):
        assert said in describe(met)
        assert "\n" not in describe(met)
        assert "sqlalche.me" not in describe(met)


def test_a_pool_without_a_free_connection_names_the_setting() -> None:
    """It is this process's own bound, not the server's."""
    assert "TTSQ_DATABASE_CONNECTIONS" in describe(PoolTimeoutError("QueuePool limit of size 16 overflow 0 reached"))


def test_only_what_others_are_at_work_on_is_busy() -> None:
    """Given again, it may succeed; a server that is away is another matter."""
    assert is_busy(OperationalError("UPDATE", {}, errors.LockNotAvailable("canceling statement")))
    assert not is_busy(OperationalError("UPDATE", {}, REFUSED))
