"""The web console: server-rendered pages at `/console`, with the scopes and tenants of the API."""
