"""Captions, chapters and transcripts of recordings."""
