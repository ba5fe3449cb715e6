"""Sheets of lines into job requests, every fault of a file reported at once. Stores nothing, spends nothing."""
