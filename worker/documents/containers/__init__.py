"""Titles, covers and chapters inside the files that hold recordings."""
