"""List prices in SQL, for calls whose cost the API did not report."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import BigInteger, ColumnElement, case, func, literal_column, type_coerce

from api_models.registry import MODELS
from worker.store.tables.jobs import Attempt
from worker.store.types import PICODOLLARS, Money


def total() -> ColumnElement[Decimal]:
    """Total list price of the selected attempts; models without a list price count zero."""
    prices = [
        (Attempt.model == literal_column(f"'{slug}'"), literal_column(str(int(model.price * PICODOLLARS)), BigInteger))
        for slug, model in MODELS.items()
    ]
    price = case(*prices, else_=literal_column("0"))
    return type_coerce(func.coalesce(func.sum(price), 0), Money())
