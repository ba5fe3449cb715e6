"""Tasks of the leading process: the inbox, retention and dead workers."""
