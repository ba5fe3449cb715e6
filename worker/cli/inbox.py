"""`ttsq inbox grant|revoke|roles|refused`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from api_models.origins import DEFAULT_TENANT
from worker.cli import database as cli_database
from worker.cli.console.errors import CliError
from worker.cli.console.format import moment, number, one_line
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import stamp
from worker.store import inbox, inbox_roles
from worker.store.database import Database

SHOWN: Final = 50
SHOWN_CHARACTERS: Final = 100
SHOWN_RIGHTS: Final = 3

app = typer.Typer(
    name="inbox",
    add_completion=False,
    help="Show refused requests of the inbox, and who may submit by it.",
    no_args_is_help=True,
)

Role = Annotated[str, typer.Argument(metavar="ROLE", help="A role of PostgreSQL, or a group of roles.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("grant")
def grant(
    role: Role,
    tenants: Annotated[
        list[str] | None,
        typer.Option("--tenant", metavar="TENANT", help="Whose jobs it submits; repeatable.", show_default="default"),
    ] = None,
    only_sql: Annotated[
        bool, typer.Option("--sql", help="Print the GRANT statements for the tables' owner; change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let a role submit jobs by `ttsq_submit`, for its tenants, and do nothing else."""
    terminal = Terminal(as_json=as_json)
    wanted = tenants or [DEFAULT_TENANT]
    for tenant in wanted:
        if not tenant or len(tenant) > 64 or not tenant.isprintable():
            raise CliError("a tenant's name has 1 to 64 printable characters", "choose another --tenant")
    with cli_database.queue(cli_database.settings(terminal)) as database:
        granting, _ = _statements(database, role)
        if only_sql:
            terminal.data({"role": role, "sql": granting})
            if not as_json:
                terminal.result("\n".join(f"{statement};" for statement in granting))
            return
        with database.begin() as connection:
            _execute(connection, granting)
            inbox_roles.grant(connection, role, wanted)
            if not inbox_roles.may_call(connection, role):
                raise _not_the_owner(granting)
            known = inbox_roles.tenants_of(connection, role)
            others = inbox_roles.other_rights(connection, role)
    terminal.done(f"{role} may submit for {', '.join(known)}.", role=role, tenants=known, other_rights=others)
    if others:
        shown = ", ".join(others[:SHOWN_RIGHTS]) + (" and more" if len(others) > SHOWN_RIGHTS else "")
        terminal.warn(f"{role} can also {shown}; a producer needs none of it")


@app.command("revoke")
def revoke(
    role: Role,
    tenants: Annotated[
        list[str] | None,
        typer.Option("--tenant", metavar="TENANT", help="Only for this tenant; repeatable.", show_default="all"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take the right to submit from a role; takes effect at once."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.begin() as connection:
        if not inbox_roles.revoke(connection, role, tenants or []):
            raise CliError(f"{role} may not submit{' for these' if tenants else ''}", "`ttsq inbox roles` lists all")
        left = inbox_roles.tenants_of(connection, role)
        if not left and not database.is_sqlite and inbox_roles.exists(connection, role):
            _execute(connection, inbox_roles.statements(connection, role)[1])
    after = f"may submit for {', '.join(left)} only" if left else "may no longer submit"
    terminal.done(f"{role} {after}.", role=role, tenants=left)


@app.command("roles")
def roles(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False) -> None:
    """List the roles that may submit, and their tenants."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        found: dict[str, list[str]] = {}
        for role, tenant in inbox_roles.producers(connection):
            found.setdefault(role, []).append(tenant)
    for role, tenants in found.items():
        terminal.data({"role": role, "tenants": tenants})
        if not as_json:
            terminal.result(f"{role}  {', '.join(tenants)}")
    if not found:
        terminal.note("No role; add one with `ttsq inbox grant ROLE --tenant TENANT`.")


@app.command("refused")
def refused(
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="Show the newest, at most this many.")] = SHOWN,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """List requests that became no job, the newest first, with the reason."""
    terminal = Terminal(as_json=as_json)
    with cli_database.queue(cli_database.settings(terminal)) as database, database.read() as connection:
        backlog, found = inbox.backlog(connection), inbox.refused(connection, most=most)
    for row in found:
        terminal.data(_data(row))
        if not as_json:
            terminal.result(_line(row))
    terminal.note(f"{number(backlog.refused, 'refused request')}, {backlog.waiting:,} waiting.")


def _statements(database: Database, role: str) -> tuple[list[str], list[str]]:
    if database.is_sqlite:
        remedy = "any program that may write the file inserts into `inbox`; see docs/inbox.md"
        raise CliError("SQLite has no roles", remedy)
    with database.read() as connection:
        if not inbox_roles.exists(connection, role):
            raise CliError(f"there is no role {role}", "create it: CREATE ROLE … LOGIN PASSWORD '…'")
        return inbox_roles.statements(connection, role)


def _execute(connection: Connection, statements: Sequence[str]) -> None:
    try:
        for statement in statements:
            connection.execute(text(statement.replace(":", r"\:")))
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != "42501":
            raise
        raise _not_the_owner(statements) from None


def _not_the_owner(statements: Sequence[str]) -> CliError:
    remedy = f"run this as the role that ran `ttsq migrate`, then repeat: {'; '.join(statements)}"
    return CliError("the role of TTSQ_DATABASE_URL doesn't own ttsq_submit", remedy)


def _line(row: inbox.Refused) -> str:
    who = row.id or f"inbox {row.number}"
    tenant = f" ({row.tenant})" if row.tenant else ""
    reasons = "; ".join(one_line(fault) for fault in row.faults)
    return f"{moment(row.refused_at, datetime.now(UTC))}  {who}{tenant}  {reasons}\n    {_cut(row.request)}"


def _cut(request: str) -> str:
    line = one_line(request)
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS]}…"


def _data(row: inbox.Refused) -> dict[str, object]:
    return {
        "number": row.number,
        "id": row.id,
        "tenant": row.tenant,
        "role": row.role,
        "refused_at": stamp(row.refused_at),
        "faults": list(row.faults),
        "request": row.request,
    }
