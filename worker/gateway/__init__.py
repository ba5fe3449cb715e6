"""Producers over HTTP: jobs and batches in; audio, events and webhooks out. Built on the producer and the store."""
