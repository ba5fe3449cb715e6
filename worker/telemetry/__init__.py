"""Logs, traces and redaction."""
