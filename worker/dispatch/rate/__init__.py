"""The rate the account is allowed, configured or searched. Pure."""
