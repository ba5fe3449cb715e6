"""Commands about lexicons."""
