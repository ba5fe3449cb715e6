"""Reads of jobs, attempts and counts. Writes nothing."""
