"""The registry's prices in SQL: what stands in for a cost that no answer named."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import BigInteger, ColumnElement, case, func, literal_column, type_coerce

from api_models.registry import MODELS
from worker.store.tables.jobs import Attempt
from worker.store.types import PICODOLLARS, Money


def total() -> ColumnElement[Decimal]:
    """What a selection of attempts costs by list price; a model that isn't in the registry counts nothing."""
    prices = [
        (Attempt.model == literal_column(f"'{slug}'"), literal_column(str(int(model.price * PICODOLLARS)), BigInteger))
        for slug, model in MODELS.items()
    ]
    price = case(*prices, else_=literal_column("0"))
    return type_coerce(func.coalesce(func.sum(price), 0), Money())
