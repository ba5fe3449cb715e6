"""What holds the account, a model or the store (circuit breakers), and what reopens it."""
