"""Files that hold lexicons."""
