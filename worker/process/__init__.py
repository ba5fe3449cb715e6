"""One worker process: its parts, its start, its shutdown."""
