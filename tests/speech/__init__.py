"""A voice for tests: espeak-ng from a wheel, as a program."""
