"""Parses sheets into job requests and reports every error of a file at once. Stores nothing, buys nothing."""
