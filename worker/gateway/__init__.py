"""Producers over HTTP: jobs and batches in, audio, events and webhooks out. Stands on the producer and the store."""
