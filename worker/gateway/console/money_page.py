"""The ledger by day, model and batch, budgets, and calls that may have been billed without a clear response."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api_models.access import Scope
from api_models.spending import By
from worker.gateway.answers import gateway_of
from worker.gateway.console import pages
from worker.gateway.console.access import Reader
from worker.store.money import balances, budgets, spending
from worker.store.money.spending import Filter, Spent

router = APIRouter(prefix="/console", include_in_schema=False)

PERIODS: Final = {1: "24 hours", 7: "7 days", 31: "31 days"}
SHOWN: Final = (By.DAY, By.MODEL, By.BATCH)
MAX_LINES: Final = 100
DAYS_A_MONTH: Final = 30


@router.get("/money")
def get_money(
    request: Request,
    visitor: Reader,
    by: Annotated[By, Query()] = By.DAY,
    days: Annotated[int, Query(ge=1, le=31)] = 7,
) -> Response:
    """Show what calls cost."""
    gateway = gateway_of(request)
    with gateway.database.read() as connection:
        now = gateway.database.now(connection)
        since = now - timedelta(days=days)
        lines = spending.spent(connection, by, Filter(since, None, visitor.tenant))
        standings = [one for one in budgets.standings(connection, now=now) if one.tenant == visitor.tenant]
        balance = balances.last(connection) if visitor.may(Scope.OPERATE) else None
    total = spending.total(lines)
    values = {
        "by": by if by in SHOWN else By.DAY,
        "shown": SHOWN,
        "days": days,
        "periods": PERIODS,
        "lines": sorted(lines, key=lambda line: line.key or "", reverse=True)[:MAX_LINES],
        "hidden": max(0, len(lines) - MAX_LINES),
        "total": total,
        "largest": max((line.paid for line in lines), default=Decimal(0)),
        "budgets": standings,
        "balance": balance,
        "month": forecast(total, since, now),
    }
    return pages.render(request, "money.html", visitor, values)


def forecast(total: Spent, since: datetime, now: datetime) -> Decimal:
    """What a month costs at the rate of the period."""
    days = Decimal((now - since).total_seconds()) / 86_400
    return total.paid / days * DAYS_A_MONTH if days else Decimal(0)
