"""Column types that mean the same on PostgreSQL and SQLite: instants in UTC, and money to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import BigInteger, DateTime, Dialect
from sqlalchemy.types import TypeDecorator

PICODOLLARS: Final = Decimal(10) ** 12
"""Money is stored as whole picodollars, so that SUM() is exact on both databases. A column holds up to $9.2 million."""


class Instant(TypeDecorator[datetime]):
    """A moment in UTC. Naive datetimes are refused, because nobody can say which moment they mean."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> DateTime:
        """`timestamptz` on PostgreSQL; SQLite keeps the text of the UTC time, which also sorts by time."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))  # type: ignore[return-value]

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Bring a value to UTC on its way into the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive datetime reached the store: {value!r}")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Hand out a value as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Money(TypeDecorator[Decimal]):
    """US dollars as `Decimal` outside, whole picodollars inside."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Dollars to picodollars; anything finer than a picodollar is rounded half-even."""
        return None if value is None else int((value * PICODOLLARS).to_integral_value())

    def process_result_value(self, value: int | Decimal | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Picodollars to dollars, with no trailing zeros."""
        return None if value is None else plain(Decimal(int(value)) / PICODOLLARS)


def plain(amount: Decimal) -> Decimal:
    """The same amount without trailing zeros and never in exponent notation: 0.0067, 12, 0."""
    return Decimal(f"{amount.normalize():f}")
