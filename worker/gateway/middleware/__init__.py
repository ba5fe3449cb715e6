"""Middleware of every request: authentication, limits, headers."""
