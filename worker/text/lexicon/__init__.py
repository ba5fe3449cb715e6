"""Pronunciation rules and where they apply."""
