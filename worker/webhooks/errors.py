"""Errors about the URLs of webhook receivers."""

from __future__ import annotations


class UnusableUrlError(ValueError):
    """The URL cannot be used; the message has the reason and the remedy."""
