"""The order in which job rows are locked on PostgreSQL, so that transactions cannot deadlock.

A transaction that may wait for several rows locks them ordered by id. One that holds rows while it continues with
others, as the dispatcher's tick does, skips locked rows and leaves them to its next tick. SQLite has one writer at a
time and needs neither.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Connection, Select, SQLColumnExpression, Uuid, any_, func, literal, select

from worker.store.tables.jobs import Job


def in_order(dialect: str, which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Lock the selected jobs in the order of their ids, waiting for each."""
    if dialect != "postgresql":
        return which
    return _these(select(Job.id).where(which).order_by(Job.id).with_for_update())


def hold(connection: Connection, which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Lock the selected jobs in the order of their ids, and return a condition that selects exactly these.

    For transactions that change them by several statements: each statement sees rows that others have committed since
    the one before, so that a repeated selection would wait for further rows, with lower ids, while holding these.
    """
    if connection.dialect.name != "postgresql":
        return which
    rows = connection.execute(select(Job.id).where(which).order_by(Job.id).with_for_update())
    return Job.id == any_(literal(list(rows.scalars()), ARRAY(Uuid())))


def not_waiting(dialect: str, which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Lock the selected jobs, without those that are locked already."""
    return _free(select(Job.id).where(which)) if dialect == "postgresql" else which


def first_not_waiting(
    dialect: str, which: ColumnElement[bool], by: SQLColumnExpression[Any], most: int
) -> ColumnElement[bool]:
    jobs = select(Job.id).where(which).order_by(by).limit(most)
    return _free(jobs) if dialect == "postgresql" else Job.id.in_(jobs)


def _free(jobs: Select[UUID]) -> ColumnElement[bool]:
    return _these(jobs.with_for_update(skip_locked=True))


def _these(jobs: Select[UUID]) -> ColumnElement[bool]:
    """An array, built once: PostgreSQL may repeat a locking subquery for every row of a join."""
    return Job.id == any_(func.array(jobs.correlate(None).scalar_subquery()))
