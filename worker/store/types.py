"""Column types that work alike on PostgreSQL and SQLite: times in UTC, and exact money.

Those for values from outside (`Foreign`, `Whole`, `Finite`) store every value, clamped to the nearest valid one: a
number too wide for its column must not keep a paid call out of the ledger.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import BigInteger, DateTime, Dialect, Float, Integer, String, Text
from sqlalchemy.types import TypeDecorator

PICODOLLARS: Final = Decimal(10) ** 12
"""Money is stored as whole picodollars, so that SUM() is exact on both databases. A column holds up to $9.2 million."""

MAX_DOLLARS: Final = Decimal(9_000_000)
"""The largest amount in one column, positive or negative."""
MAX_WHOLE: Final = 2**31 - 1
MAX_CHARACTERS: Final = 10_000
"""Limit of a text from outside without a column limit."""


class AmountError(ValueError):
    def __init__(self, amount: Decimal) -> None:
        """`amount` in US dollars."""
        super().__init__(f"${amount} exceeds the ${MAX_DOLLARS:,} that a column can hold")
        self.amount = amount


class Instant(TypeDecorator[datetime]):
    """A time in UTC. Naive datetimes are refused, because they are ambiguous."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> DateTime:
        """`timestamptz` on PostgreSQL; on SQLite the text of the UTC time, which also sorts by time."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))  # type: ignore[return-value]

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive datetime reached the store: {value!r}")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Money(TypeDecorator[Decimal]):
    """US dollars as `Decimal` outside, whole picodollars inside."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Convert dollars to picodollars; finer fractions are rounded half-even. Raises AmountError: not a number, or
        too large. Amounts are never clamped here: see `segmind.account`.
        """
        if value is None:
            return None
        dollars = Decimal(value)  # an int is accepted as well
        if not dollars.is_finite() or abs(dollars) > MAX_DOLLARS:
            raise AmountError(dollars)
        return int((dollars * PICODOLLARS).to_integral_value())

    def process_result_value(self, value: int | Decimal | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        return None if value is None else plain(Decimal(int(value)) / PICODOLLARS)


class Foreign(TypeDecorator[str]):
    """Text from outside: cut to its column, without NUL and lone surrogates, which PostgreSQL refuses."""

    impl = Text
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        """`length` is the column's, in characters; None for no limit."""
        super().__init__()
        self.length = length
        self.impl = Text() if length is None else String(length)  # type: ignore[assignment]  # its stubs know the class's alone
        self._most = length or MAX_CHARACTERS

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        return None if value is None else storable(value)[: self._most]


class Whole(TypeDecorator[int]):
    """A count from outside, such as milliseconds or bytes, clamped to the largest integer."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        return None if value is None else max(-MAX_WHOLE, min(int(value), MAX_WHOLE))


class Finite(TypeDecorator[float]):
    """A measured number: NaN and infinity become None, because neither JSON nor comparisons support them."""

    impl = Float
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        return float(value) if value is not None and math.isfinite(value) else None


def storable(text: str) -> str:
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", " ").encode("utf-8", "replace").decode()


def plain(amount: Decimal) -> Decimal:
    """Return the amount without trailing zeros or exponent: 0.0067, 12, 0."""
    return Decimal(f"{amount.normalize():f}")
