"""Webhooks: signs and delivers outgoing ones, verifies incoming ones. Knows no jobs: events in, requests out."""
