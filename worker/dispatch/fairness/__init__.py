"""Whose turn it is: priorities, tenants, batches, ageing. Pure."""
