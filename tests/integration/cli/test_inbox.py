"""`ttsq inbox`: who may submit, and what was refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import errors
from sqlalchemy import text

from tests.inbox_harness import Office, ProducerRole, role
from tests.terminal import Ttsq
from worker.store.database import Database

REQUEST = {"text": "Your order is on its way."}


@pytest.fixture
def server(on_postgresql: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A queue on PostgreSQL that the command works on."""
    monkeypatch.setenv("TTSQ_DATABASE_URL", on_postgresql.url.render_as_string(hide_password=False))
    return on_postgresql


@pytest.fixture
def shop(server: Database) -> Iterator[ProducerRole]:
    """A role without any right."""
    with role(server) as made:
        yield made


def test_a_role_is_granted_and_revoked(ttsq: Ttsq, shop: ProducerRole) -> None:
    """It submits for the tenants that it was granted, until they are taken back."""
    shown = ttsq("inbox", "grant", shop.name, "--tenant", "north", "--tenant", "south", "--json")
    assert (shown.code, shown.data["tenants"], shown.data["other_rights"]) == (0, ["north", "south"], [])
    assert ttsq("inbox", "roles", "--json").data == {"role": shop.name, "tenants": ["north", "south"]}
    assert shop.name in ttsq("inbox", "roles").out
    shop.submit({**REQUEST, "tenant": "south"})

    assert ttsq("inbox", "revoke", shop.name, "--tenant", "south").code == 0
    shop.submit(REQUEST)
    with pytest.raises(errors.InsufficientPrivilege):
        shop.submit({**REQUEST, "tenant": "south"})
    assert ttsq("inbox", "revoke", shop.name, "--json").data["tenants"] == []
    with pytest.raises(errors.InsufficientPrivilege, match="permission denied"):
        shop.submit(REQUEST)
    assert ttsq("inbox", "revoke", shop.name).code == 2


def test_other_rights_of_a_producer_are_named(ttsq: Ttsq, server: Database, shop: ProducerRole) -> None:
    """It is granted all the same: the administrator decides."""
    with server.begin() as connection:
        connection.execute(text(f"GRANT SELECT ON jobs TO {shop.name}"))
    shown = ttsq("inbox", "grant", shop.name)
    assert shown.code == 0
    assert "can also SELECT on jobs" in shown.err
    shop.submit(REQUEST)


def test_the_statements_are_printed_for_the_owner(ttsq: Ttsq, shop: ProducerRole) -> None:
    """They change nothing by themselves; a role that doesn't own the function is shown them too."""
    printed = ttsq("inbox", "grant", shop.name, "--sql").out
    assert f"GRANT EXECUTE ON FUNCTION public.ttsq_submit(jsonb) TO {shop.name};" in printed
    with pytest.raises(errors.InsufficientPrivilege):
        shop.submit(REQUEST)


def test_a_role_that_does_not_own_the_function_cannot_grant_it(
    ttsq: Ttsq, server: Database, shop: ProducerRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error holds the statements for the owner, and nothing is changed."""
    with role(server) as worker:
        with server.begin() as connection:
            connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {worker.name}"))
        monkeypatch.setenv("TTSQ_DATABASE_URL", worker.dsn.replace("postgresql://", "postgresql+psycopg://", 1))
        shown = ttsq("inbox", "grant", shop.name, "--tenant", "shop")
        assert shown.code == 2
        assert "GRANT EXECUTE ON FUNCTION" in shown.err
        assert ttsq("inbox", "roles", "--json").out == ""


@pytest.mark.parametrize("name", ["nobody_here", 'x"; DROP TABLE jobs; --', ""])
@pytest.mark.usefixtures("server")
def test_an_unknown_role_is_refused(ttsq: Ttsq, name: str) -> None:
    """With the statement that makes one."""
    shown = ttsq("inbox", "grant", "--", name)
    assert (shown.code, "CREATE ROLE" in shown.err) == (2, True)


def test_sqlite_has_no_roles(ttsq: Ttsq, on_sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says what to do there."""
    monkeypatch.setenv("TTSQ_DATABASE_URL", on_sqlite.url.render_as_string(hide_password=False))
    shown = ttsq("inbox", "grant", "shop")
    assert shown.code == 2
    assert "docs/inbox.md" in shown.err


def test_refused_requests_are_listed_with_their_reasons(ttsq: Ttsq, queue: Database) -> None:
    """The newest first; control characters of a request are escaped."""
    office = Office(queue)
    office.put({"text": "Hi.", "voice_1": "Kroe"}, {"text": "", "custom_id": "\x1b]0;title\x07"}, {"text": "Good."})
    assert ttsq("inbox", "refused").err.strip().endswith("0 refused requests, 3 waiting.")
    office.work()
    shown = ttsq("inbox", "refused")
    assert shown.code == 0
    assert "\x1b" not in shown.out
    assert 'no voice "Kroe"' in shown.out
    newest, oldest = ttsq("inbox", "refused", "--json").lines
    assert newest["number"] > oldest["number"]
    assert oldest["faults"][0].startswith("voice_1: ")
    assert "Kroe" in oldest["request"]
    assert len(ttsq("inbox", "refused", "--most", "1", "--json").lines) == 1
