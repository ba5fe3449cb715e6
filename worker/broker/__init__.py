"""Celery: the application, the messages and the consumer. No other room imports it."""
