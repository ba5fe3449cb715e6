"""Sheets as people make them, in the shapes that spreadsheets and content systems save."""
