"""The rate the account is allowed, set or found. Pure."""
