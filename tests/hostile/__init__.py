"""Servers that answer by scripts of bytes, legal and illegal, and every HTTP client of the product before them."""
