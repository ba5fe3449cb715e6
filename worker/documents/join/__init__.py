"""Joins the takes of a document's parts into one recording."""
