"""The order in which job rows are locked on PostgreSQL, so that no two transactions ever wait for each other.

A transaction that may wait for several rows takes them in the order of their ids. One that holds rows while it goes on
to others, as the dispatcher's tick does, waits for none: what somebody else is changing just now, it leaves to its next
tick. SQLite has one writer at a time and needs neither.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, any_, func, select

from worker.store.tables.jobs import Job


def in_order(dialect: str, which: ColumnElement[bool]) -> ColumnElement[bool]:
    """The jobs of a selection, each waited for, in the order of their ids."""
    if dialect != "postgresql":
        return which
    return _these(select(Job.id).where(which).order_by(Job.id).with_for_update())


def not_waiting(dialect: str, which: ColumnElement[bool]) -> ColumnElement[bool]:
    """The jobs of a selection that nobody else is changing."""
    return _free(select(Job.id).where(which)) if dialect == "postgresql" else which


def first_not_waiting(
    dialect: str, which: ColumnElement[bool], by: SQLColumnExpression[Any], most: int
) -> ColumnElement[bool]:
    """The first of those jobs, as `by` puts them in order."""
    jobs = select(Job.id).where(which).order_by(by).limit(most)
    return _free(jobs) if dialect == "postgresql" else Job.id.in_(jobs)


def _free(jobs: Select[UUID]) -> ColumnElement[bool]:
    return _these(jobs.with_for_update(skip_locked=True))


def _these(jobs: Select[UUID]) -> ColumnElement[bool]:
    """As an array, which is made once: a subquery that locks could be run again for every row of a join."""
    return Job.id == any_(func.array(jobs.correlate(None).scalar_subquery()))
