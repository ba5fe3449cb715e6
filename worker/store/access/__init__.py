"""API keys, inbound hooks and idempotency keys."""
