"""Duties of the leading process: leader tasks, retention, dead workers."""
