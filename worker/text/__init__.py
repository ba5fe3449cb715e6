"""What a text says: pronunciations, markup and spellings, before it is planned, priced or sent. Pure."""
