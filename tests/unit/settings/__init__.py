"""Tests of the settings: addresses, numbers, and where they are read from."""
