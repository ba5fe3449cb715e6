"""Describes database errors in one line: the cause, and whether it is temporary. Pure."""

from __future__ import annotations

from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

_BY_STATE: Final = {
    "25006": "the database is read-only: a failover is in progress, or TTSQ_DATABASE_URL points to a replica",
    "40001": "the transaction was rolled back because another one had changed its rows",
    "40P01": "the transaction was rolled back because of a deadlock",
    "53100": "the database's disk is full",
    "53200": "the database is out of memory",
    "53300": "the database accepts no more connections (its max_connections is reached)",
    "55P03": "another transaction holds a row for longer than this one waits (lock_timeout)",
    "57014": "the database ended a statement that took too long (statement_timeout)",
    "57P01": "the database is shutting down",
    "57P02": "the database crashed, and is starting again",
    "57P03": "the database is starting, and accepts no connections yet",
}
_BY_TEXT: Final = {
    "too many clients": _BY_STATE["53300"],
    "remaining connection slots": _BY_STATE["53300"],
    "the database system is starting up": _BY_STATE["57P03"],
    "the database system is not yet accepting connections": _BY_STATE["57P03"],
    "the database system is in recovery mode": _BY_STATE["57P02"],
    "the database system is shutting down": _BY_STATE["57P01"],
    "password authentication failed": "the database refuses the user or password in TTSQ_DATABASE_URL",
    "session is read-only": _BY_STATE["25006"],
    "database is locked": "the database file is busy: another process writes to it for longer than this one waits",
    "database or disk is full": "the database's disk is full",
    "readonly database": "this user may not write to the database file",
    "unable to open database file": "the database file can't be opened; check its folder and its owner",
    "disk I/O error": "the database file's disk is failing",
}

_BUSY: Final = frozenset({_BY_TEXT["database is locked"], _BY_STATE["40001"], _BY_STATE["40P01"], _BY_STATE["55P03"]})


def describe(error: BaseException) -> str:
    """Return one line for people. Unclassified errors keep the database's own message."""
    if isinstance(error, PoolTimeoutError):
        return "all of this process's connections to the database are busy (TTSQ_DATABASE_CONNECTIONS)"
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None)
    text = str(cause).strip() or type(cause).__name__
    known = _BY_STATE.get(str(state)) or next((_BY_TEXT[part] for part in _BY_TEXT if part in text), None)
    if known:
        return known
    away = state is None or str(state).startswith("08")
    line = text.splitlines()[0]
    return f"the database can't be {'reached' if away and _is_operational(cause) else 'used'}: {line}"


def is_busy(error: BaseException) -> bool:
    return describe(error) in _BUSY


def is_unstorable(error: BaseException) -> bool:
    """Whether the values cause the error, so that a retry never succeeds: too large, malformed, or refused by a
    constraint. Some are found by the driver or by a column's type, before anything is sent.
    """
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError)
    return isinstance(error, StatementError | ValueError | TypeError | OverflowError)


def _is_operational(cause: BaseException) -> bool:
    """Whether the driver blames the server or the connection, and not the statement."""
    return any(kind.__name__ == "OperationalError" for kind in type(cause).__mro__)
