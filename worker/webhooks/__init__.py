"""Webhooks: our own signed and delivered, those of others verified. Knows no jobs: events in, requests out."""
