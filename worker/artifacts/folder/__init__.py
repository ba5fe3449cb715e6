"""The store over a local folder."""
