"""Readers of scripts, one for each form."""
