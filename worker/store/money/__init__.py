"""Spending, budgets, prices and balances."""
