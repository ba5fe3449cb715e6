"""Scripts: several speakers and their turns, read from many forms, cast with voices, and spoken as a document."""
