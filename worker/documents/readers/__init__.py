"""Reads documents of several file formats into text, blocks and chapters."""
