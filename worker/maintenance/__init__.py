"""Tasks of the leading process: retention and dead workers."""
