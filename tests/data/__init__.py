"""Data that tests read."""
