"""Programs that an installation's own interpreter runs; they import nothing of the tests."""
