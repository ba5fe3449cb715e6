"""Gates (circuit breakers) that hold the account, a model or the store, and what reopens them."""
