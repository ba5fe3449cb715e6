"""A producer's role submits for its tenants and can do nothing else: PostgreSQL itself refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import text

from tests.inbox_harness import Office, ProducerRole, role
from worker.store.database import Database
from worker.store.tables.base import Base

TABLES: Final = sorted(Base.metadata.tables)
STATEMENTS: Final = (
    "SELECT * FROM {}",
    "INSERT INTO {} DEFAULT VALUES",
    "UPDATE {0} SET {1} = {1}",
    "DELETE FROM {}",
    "TRUNCATE {}",
    "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
    "DROP TABLE {}",
    "CREATE TRIGGER t BEFORE INSERT ON {} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
)
REQUEST: Final = {"text": "Your order is on its way."}


@pytest.fixture
def office(on_postgresql: Database) -> Office:
    """An empty inbox."""
    return Office(on_postgresql)


@pytest.fixture
def shop(office: Office) -> Iterator[ProducerRole]:
    """A role that submits for the tenant `shop`."""
    with role(office.database, "shop") as made:
        yield made


def refusal(connection: psycopg.Connection[object], statement: str) -> type[Exception]:
    """The kind of error that a statement meets."""
    with pytest.raises(psycopg.Error) as refused:
        connection.execute(statement)
    connection.rollback()
    return refused.type


def test_a_role_submits_for_its_tenant(office: Office, shop: ProducerRole) -> None:
    """Named or not; the row says who it was."""
    first, second = shop.submit(REQUEST), shop.submit({**REQUEST, "tenant": "shop"})
    office.work()
    assert {(job.id, job.tenant) for job in office.jobs()} == {(first, "shop"), (second, "shop")}
    with office.database.read() as connection:
        assert set(connection.execute(text("SELECT role FROM inbox")).scalars()) == {shop.name}


@pytest.mark.parametrize("table", TABLES)
def test_it_can_neither_read_nor_write_a_table(shop: ProducerRole, table: str) -> None:
    """Not even its own rows of the inbox."""
    column = next(iter(Base.metadata.tables[table].columns)).name
    with shop.connect() as connection:
        for statement in STATEMENTS:
            assert refusal(connection, statement.format(table, column)) is errors.InsufficientPrivilege, statement


def test_its_own_objects_do_not_change_what_the_function_does(office: Office, shop: ProducerRole) -> None:
    """Temporary tables and a search path of its own would be found first, were the names not fixed."""
    with shop.connect() as connection:
        connection.execute("CREATE TEMP TABLE inbox_producers (role text, tenant text)")
        connection.execute("INSERT INTO inbox_producers VALUES (session_user, 'victim')")
        connection.execute("CREATE TEMP TABLE inbox (id uuid, request text, tenant text, role text)")
        connection.execute("SET search_path = pg_temp, public")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("""SELECT public.ttsq_submit('{"text": "Hi.", "tenant": "victim"}')""")
        connection.rollback()
        connection.execute("""SELECT public.ttsq_submit('{"text": "Hi."}')""")
    office.work()
    assert [job.tenant for job in office.jobs()] == ["shop"]


def test_another_tenant_is_refused_in_the_producers_transaction(office: Office, shop: ProducerRole) -> None:
    """Whatever the JSON says; nothing is written."""
    for tenant in ("default", "SHOP", "shop ", "", 5, None):
        request = {**REQUEST, "tenant": tenant}
        if tenant is None:
            shop.submit(request)  # as if it were left out
            continue
        with pytest.raises(errors.InsufficientPrivilege, match="may not submit for tenant"):
            shop.submit(request)
    office.work()
    assert [job.tenant for job in office.jobs()] == ["shop"]


def test_a_role_of_several_tenants_names_one(office: Office) -> None:
    """Without a name it would be chance."""
    with role(office.database, "north", "south") as made:
        with pytest.raises(errors.InvalidParameterValue, match="name one"):
            made.submit(REQUEST)
        made.submit({**REQUEST, "tenant": "south"})
    office.work()
    assert [job.tenant for job in office.jobs()] == ["south"]


def test_a_role_without_a_grant_is_refused(office: Office) -> None:
    """By the function's own rights; and by the function, if a right was granted without a tenant."""
    with role(office.database) as stranger:
        with pytest.raises(errors.InsufficientPrivilege, match="permission denied for function"):
            stranger.submit(REQUEST)
        with office.database.begin() as connection:
            connection.execute(text(f"GRANT EXECUTE ON FUNCTION ttsq_submit(jsonb) TO {stranger.name}"))
        with pytest.raises(errors.InsufficientPrivilege, match="may not submit"):
            stranger.submit(REQUEST)


def test_the_members_of_a_group_submit_for_its_tenants(office: Office) -> None:
    """Two logins of one group, so that a password can be changed without downtime."""
    with role(office.database, "shop") as group, role(office.database, within=group.name) as member:
        member.submit(REQUEST)
        with member.connect() as connection:
            connection.execute(f"SET ROLE {group.name}")
            connection.execute("""SELECT ttsq_submit('{"text": "Hi."}')""")
        with pytest.raises(errors.InsufficientPrivilege):
            member.submit({**REQUEST, "tenant": "other"})
    office.work()
    assert [job.tenant for job in office.jobs()] == ["shop", "shop"]


def test_set_role_takes_the_tenants_of_that_role(office: Office) -> None:
    """As connection pools of web frameworks do: the administrator's session acts as the producer."""
    with role(office.database, "shop") as made, office.database.begin() as connection:
        connection.execute(text(f"SET LOCAL ROLE {made.name}"))
        connection.execute(text("""SELECT ttsq_submit('{"text": "Hi."}')"""))
    office.work()
    assert [job.tenant for job in office.jobs()] == ["shop"]


def test_the_name_of_a_dropped_role_harms_no_other(office: Office, shop: ProducerRole) -> None:
    """Its row in the table of producers stays behind."""
    with office.database.begin() as connection:
        connection.execute(text("INSERT INTO inbox_producers VALUES ('gone', 'shop')"))
    with role(office.database, within=shop.name) as member:
        member.submit(REQUEST)
    office.work()
    assert len(office.jobs()) == 1


def test_a_savepoint_that_is_rolled_back_takes_no_notification_from_the_rest(office: Office) -> None:
    """One notification is enough for a transaction, and it must survive what is undone in it."""
    with office.database.at_once() as listening:
        listening.execute(text("LISTEN ttsq_inbox"))
        with office.database.begin() as connection:
            with connection.begin_nested() as savepoint:
                connection.execute(text("""SELECT ttsq_submit('{"text": "Undone."}')"""))
                savepoint.rollback()
            for _ in range(3):
                connection.execute(text("""SELECT ttsq_submit('{"text": "Kept."}')"""))
        driver: Any = listening.connection.driver_connection
        assert len(list(driver.notifies(timeout=30, stop_after=1))) == 1
        listening.execute(text("UNLISTEN *"))
    office.work()
    assert len(office.jobs()) == 3


def test_a_transaction_that_is_to_be_prepared_turns_notifications_off(office: Office) -> None:
    """PostgreSQL can't prepare a transaction that notifies; the leader polls."""
    with office.database.begin() as connection:
        connection.execute(text("SET LOCAL ttsq.notify = off"))
        connection.execute(text("""SELECT ttsq_submit('{"text": "Hi."}')"""))
        held = connection.execute(
            text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        )
        assert held.scalar_one() == 0
    office.work()
    assert len(office.jobs()) == 1
