"""Column types that mean the same on PostgreSQL and SQLite: instants in UTC, and money to the last digit.

Those for what comes from outside (`Foreign`, `Whole`, `Finite`) store every value: what a column can't hold is
brought to the nearest value that it can. A figure too wide for its column must not keep a paid call out of the books.
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
"""The largest amount in one column, either side of zero."""
MAX_WHOLE: Final = 2**31 - 1
"""What PostgreSQL's `integer` holds."""
MAX_CHARACTERS: Final = 10_000
"""Of a text from outside that no column bounds."""


class AmountError(ValueError):
    """An amount of money that no column holds."""

    def __init__(self, amount: Decimal) -> None:
        """`amount` in US dollars."""
        super().__init__(f"${amount} is beyond the ${MAX_DOLLARS:,} that a column holds")
        self.amount = amount


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
        """Dollars to picodollars; anything finer than a picodollar is rounded half-even.

        Raises:
            AmountError: no number, or more than a column holds. An amount is never changed here: see `segmind.account`.
        """
        if value is None:
            return None
        dollars = Decimal(value)  # a whole number is as good
        if not dollars.is_finite() or abs(dollars) > MAX_DOLLARS:
            raise AmountError(dollars)
        return int((dollars * PICODOLLARS).to_integral_value())

    def process_result_value(self, value: int | Decimal | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Picodollars to dollars, with no trailing zeros."""
        return None if value is None else plain(Decimal(int(value)) / PICODOLLARS)


class Foreign(TypeDecorator[str]):
    """Text from outside: shortened to its column, without NUL and half characters, which PostgreSQL refuses."""

    impl = Text
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        """`length` is the column's, in characters; None: a text without a bound."""
        super().__init__()
        self.length = length
        self.impl = Text() if length is None else String(length)  # type: ignore[assignment]  # its stubs know the class's alone
        self._most = length or MAX_CHARACTERS

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """What can be stored of a text."""
        return None if value is None else storable(value)[: self._most]


class Whole(TypeDecorator[int]):
    """A count from outside, such as milliseconds or bytes: the largest integer stands for everything beyond it."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """The nearest integer that the column holds."""
        return None if value is None else max(-MAX_WHOLE, min(int(value), MAX_WHOLE))


class Finite(TypeDecorator[float]):
    """A measured number: what is none, or infinite, is unknown. Neither JSON nor a comparison could bear it."""

    impl = Float
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """A finite number or None."""
        return float(value) if value is not None and math.isfinite(value) else None


def storable(text: str) -> str:
    """A text as both databases take it."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", " ").encode("utf-8", "replace").decode()


def plain(amount: Decimal) -> Decimal:
    """The same amount without trailing zeros and never in exponent notation: 0.0067, 12, 0."""
    return Decimal(f"{amount.normalize():f}")
