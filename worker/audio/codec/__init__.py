"""Encoding and decoding of foreign audio in child processes, so that a crash ends no worker."""
